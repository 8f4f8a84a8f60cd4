/* SPDX-License-Identifier: Apache-2.0 */
/* A command that a file in commands.d defines, of a package or of the owner of this machine. It is
 * read by the agent for the arguments and by the executor for all that it lets run. The file
 * NAME.conf defines the command NAME. dcm-agent-commands.d(5) is the format. */
#pragma once

#include "command/job-limits.h"
#include "command/sandbox.h"
#include "proto/argument-type.h"
#include "proto/command-output.h"

#define COMMANDS_DIRECTORY CONFDIR "/commands.d"
/* those of the packages, which one of the same name above shadows */
#define SHIPPED_COMMANDS_DIRECTORY PKGLIBDIR "/commands.d"

#define JOB_USER "dcm" /* as whom a command runs, unless something else is said */

/* What is to be remembered of a success (core/effect.h): texts with values in them
 * (command/template.h), NULL where there is nothing. */
typedef struct EffectTexts {
    const char *add_user, *administrator; /* the user that was made; "true" if he is one */
    const char *remove_user;
    const char *ignore_errors; /* "true": of `terminate` */
    bool initialize, terminate;
} EffectTexts;

typedef struct CommandFeature {
    const char *name, *value;
} CommandFeature;

typedef struct CommandFile {
    const char *name, *help;
    const char *script;               /* a name, or an absolute path; NULL: a worker does it */
    const char *worker, *worker_path; /* bus name and object path */
    const char *user;    /* the agent's own for jobs, root, or another one of the machine */
    char **includes;     /* commands that it does, too; NULL: none */
    const char *names;   /* other names that it has, NAME.*; NULL: none */
    const char *message; /* of an immediate one, which is answered before its script runs */
    const char *reply_type;
    char **positions; /* positional arguments: texts with values in them; NULL: one per argument */
    CommandOutput output;
    bool is_long, is_immediate;
    bool json_input;   /* arguments as a JSON object on standard input, not as positional ones */
    bool secret_files; /* what is secret is not in that object */
    bool can_dry_run;  /* it can say whether it could be done */
    bool stream;       /* lines of its output go to the console as they come */
    Argument *arguments;
    size_t n_arguments;
    size_t dry_run; /* index of that argument, the last one; SIZE_MAX: there is none */
    EffectTexts effect;
    CommandFeature *features; /* that the agent advertises with it */
    size_t n_features;
    JobLimit **limits; /* as they were set, the last one counts */
    size_t n_limits;
    SandboxSetting *sandbox;
    char **strings; /* owns what the pointers above point to; ends with NULL */
    size_t n_strings;
} CommandFile;

CommandFile *command_file_free(CommandFile *f);
DEFINE_CLEANUP(CommandFile *, command_file_free)

/* What a job of it may use, where the policy says no less. */
void command_file_get_limits(const CommandFile *f, JobLimits *ret);

/* The argument that stands in a position alone, and so can be a file; NULL: there is no such
 * position, or other text in it. */
const Argument *command_file_argument_at(const CommandFile *f, size_t position) _pure_;

/* Whether the job has the value as a file, not as a text in a position or in the JSON object. */
bool command_file_is_apart(const CommandFile *f, const Argument *a) _pure_;

/* Whether the command answers to a name that its file does not have. */
bool command_file_has_name(const CommandFile *f, const char *name) _pure_;

/* Whether one of its values must be seen by its job alone. */
bool command_file_has_secret(const CommandFile *f) _pure_;

/* 1 to 64 letters, digits, dots, dashes and underscores, beginning with a letter or a digit. */
bool command_name_is_valid(const char *name) _pure_;
