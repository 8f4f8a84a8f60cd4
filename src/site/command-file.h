/* SPDX-License-Identifier: Apache-2.0 */
/* A command that a file in commands.d defines, from a package or from the owner of this machine.
 * The agent reads the file for the arguments, the executor for everything that it permits. The file
 * NAME.conf defines the command NAME. dcm-agent-commands.d(5) documents the format. */
#pragma once

#include "proto/argument-type.h"
#include "proto/command-output.h"
#include "site/job-limits.h"
#include "site/sandbox.h"

#define COMMANDS_DIRECTORY CONFDIR "/commands.d"
/* files of packages; a file of the same name in the directory above shadows one here */
#define SHIPPED_COMMANDS_DIRECTORY PKGLIBDIR "/commands.d"

/* the command whose script runs after the reply */
#define COMMAND_TERMINATE "terminate"

#define JOB_USER "dcm" /* the default user of commands */

/* State that a success changes in the agent (core/effect.h): texts with values in them
 * (command/template.h), or NULL. */
typedef struct EffectTexts {
    const char *add_user, *administrator; /* name of the created user; "true" if an administrator */
    const char *remove_user;
    const char *ignore_errors; /* for `terminate`: "true" or "false" */
    bool initialize, terminate;
} EffectTexts;

typedef struct CommandFeature {
    const char *name, *value;
    char **needs;      /* programs and absolute paths without which it is not advertised, or NULL */
    bool is_available; /* set by command_file_find_features() */
} CommandFeature;

typedef struct CommandFile {
    const char *name, *help;
    const char *script; /* a name or an absolute path; NULL: a worker executes the command */
    const char *worker, *worker_path; /* bus name and object path */
    unsigned user_line;               /* of the file that names it; 0: the default */
    const char *user;                 /* JOB_USER, root, or another user of the machine */
    char **includes;                  /* commands whose work this command includes; may be NULL */
    const char *names;                /* a pattern of further names, NAME.*; may be NULL */
    const char *message; /* for an immediate command, which is answered before its script runs */
    const char *reply_type;
    char **positions; /* positional arguments: texts with values in them; NULL: one per argument */
    CommandOutput output;
    bool is_long, is_immediate;
    bool json_input;      /* arguments as a JSON object on standard input, not as positional ones */
    bool secret_files;    /* passes secrets as files, not in that object */
    bool can_dry_run;     /* supports COMMAND_DRY_RUN */
    uint64_t finish_usec; /* the script alone is asked to end, and has so long; 0: no such time */
    bool reboots;         /* the script reboots the server, and has done so after the boot */
    bool stream;          /* sends lines of the output to the console while the script runs */
    Argument *arguments;
    size_t n_arguments;
    size_t dry_run; /* index of COMMAND_DRY_RUN, the last argument; SIZE_MAX: none */
    EffectTexts effect;
    CommandFeature *features; /* advertised in the handshake */
    size_t n_features;
    JobLimit **limits; /* in order of the file; the last one counts */
    size_t n_limits;
    SandboxSetting *sandbox;
    char **strings; /* owns the strings above; ends with NULL */
    size_t n_strings;
} CommandFile;

CommandFile *command_file_free(CommandFile *f);
DEFINE_CLEANUP(CommandFile *, command_file_free)

/* Sets the limits of a job of this command, before the policy tightens them. */
void command_file_get_limits(const CommandFile *f, JobLimits *ret);

/* The argument that fills a position alone, and so can be passed as a file; NULL: there is no such
 * position, or it has other text. */
const Argument *command_file_argument_at(const CommandFile *f, size_t position) _pure_;

/* Whether the job receives the value as a file, not as text in a position or in the JSON object. */
bool command_file_is_apart(const CommandFile *f, const Argument *a) _pure_;

/* Whether a manager may order the command under a name other than that of its file. */
bool command_file_has_name(const CommandFile *f, const char *name) _pure_;

/* Whether the command has an argument whose value only its job may see. */
bool command_file_has_secret(const CommandFile *f) _pure_;

/* 1 to 64 letters, digits, dots, dashes and underscores, beginning with a letter or a digit. */
bool command_name_is_valid(const char *name) _pure_;
