/* SPDX-License-Identifier: Apache-2.0 */
/* What a command is to whoever runs it. Which there are is in the folder commands. */
#pragma once

#include <systemd/sd-event.h>

#include "job/effect.h"
#include "proto/argument.h"
#include "proto/command-output.h"
#include "store/store.h"

typedef enum CommandKind {
    COMMAND_NORMAL,    /* queued, answered when done */
    COMMAND_IMMEDIATE, /* `run` answers inside of the call */
    COMMAND_LONG,      /* answered with a number, and asked for by that */
    _COMMAND_KIND_MAX,
} CommandKind;

/* A value that reaches the job as a file of its own. */
typedef struct JobSecret {
    const char *name; /* of the argument */
    int fd;           /* a sealed memfd */
} JobSecret;

/* What a job's script is downloaded from (job/fetch.h). */
typedef struct FetchSource {
    const char *url;         /* NULL: nothing is downloaded */
    const char *checksum;    /* SHA-256 in hex, or NULL */
    const char *certificate; /* PEM, or NULL */
    uint64_t patience_usec;  /* for a connection, and for a source that sends nothing */
    bool tls_is_enough;      /* for a source without a checksum */
} FetchSource;

/* What holds for all jobs of a runner, from a reload on. */
typedef struct JobSettings {
    bool keep_processes;       /* processes that a script leaves behind live on */
    uint64_t reply_output_max; /* bytes of each output stream that a reply carries */
} JobSettings;
extern const JobSettings job_settings_default; /* what a configuration without them has */

/* What the executor needs to know to start a job. Strings belong to the argument values. */
typedef struct JobSpec {
    const char *command;
    char *const *arguments; /* positional, public; NULL: none */
    char **list;            /* owns `arguments` where they are not the values' own */
    int script_fd;          /* -1: the command's own */
    FetchSource source;     /* of the script, where it does not come with the request */
    int input_fd;           /* standard input; -1: none */
    JobSecret *secrets;
    size_t n_secrets;
    CommandOutput output;
    const char *reply_type; /* of the output, where it is an object; NULL: the output's own */
    bool stream;            /* its lines go to the console as they come */
    bool dry_run;           /* the script is to do nothing */
    bool as_root;
    const JobSettings *settings;
    const char *interpreter; /* NULL: the script's first line decides */
    uint64_t timeout_usec;   /* 0: the executor's own limit */
} JobSpec;

#define JOB_SPEC_INIT                                                                              \
    ((JobSpec){.script_fd = -1, .input_fd = -1, .settings = &job_settings_default})

void job_spec_done(JobSpec *s);

/* A command at work inside the agent; embedded by what the command needs meanwhile. */
typedef struct CommandRun CommandRun;
struct CommandRun {
    void (*free)(CommandRun *run); /* ends it, too */
};
CommandRun *command_run_free(CommandRun *run);

typedef struct CommandFacts CommandFacts; /* commands/facts.h */

typedef struct CommandContext {
    sd_event *event;
    Store *store;
    const char *jobs_root; /* the executor's state directory */
    const char *guid;      /* of the request */
    const char *name;      /* by which it was ordered */
    const struct Command *command;
    const CommandFacts *facts;
    /* the end of a command that takes its time; takes over the reply (NULL if error < 0) */
    void (*done)(int error, struct json_object *reply, void *userdata);
    void *userdata;
} CommandContext;

typedef struct CommandFile CommandFile;
typedef struct Command Command;
struct Command {
    const char *name;
    CommandKind kind;
    unsigned n_references; /* of one that can go: how many hold it */
    const char *summary;
    const Argument *arguments;
    size_t n_arguments;
    /* Runs inside the agent; only reads, so that it may be run again after a restart. Sets
     * *ret_reply, or *ret_run and calls context->done later (not an immediate one). */
    int (*run)(const CommandContext *context, const ArgumentValue *values,
               struct json_object **ret_reply, CommandRun **ret_run);
    /* Or is a job: -EINVAL and an error text (the caller frees) if the arguments make none; another
     * error passes. */
    int (*prepare)(const Command *c, const CommandContext *context, const ArgumentValue *values,
                   JobSpec *ret, char **ret_error);
    /* What is to be remembered of a job that has ended with 0, or of an immediate command; may be
     * NULL. */
    int (*done)(const Command *c, const ArgumentValue *values, Effect *ret);
    const CommandFile *file;  /* that defines it; NULL: it is ours */
    void (*free)(Command *c); /* when nobody holds it; NULL: it stays */
};

/* A command that is held stays, also when it is no longer in the list. NULL is allowed. */
const Command *command_ref(const Command *c);
const Command *command_unref(const Command *c);

/* Fills ret[c->n_arguments] as arguments_parse() does. A wish to do nothing is refused by a command
 * that could not but do it. */
int command_parse_arguments(const Command *c, struct json_object *arguments, ArgumentValue *ret,
                            char **ret_error);

const char *command_kind_to_string(CommandKind kind) _const_;
