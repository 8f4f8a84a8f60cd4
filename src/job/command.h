/* SPDX-License-Identifier: Apache-2.0 */
/* The definition of a command, for the code that executes it. The folder commands has the list of
 * all commands. */
#pragma once

#include <systemd/sd-event.h>

#include "job/effect.h"
#include "proto/argument.h"
#include "proto/command-output.h"
#include "store/store.h"

typedef enum CommandKind {
    COMMAND_NORMAL,    /* queued, answered at its end */
    COMMAND_IMMEDIATE, /* `run` answers within the call */
    COMMAND_LONG,      /* answered with a number, by which the manager queries it */
    _COMMAND_KIND_MAX,
} CommandKind;

/* A value that the job receives as a separate file. */
typedef struct JobSecret {
    const char *name; /* of the argument */
    int fd;           /* a sealed memfd */
} JobSecret;

/* Where and how to download a job's script (job/fetch.h). */
typedef struct FetchSource {
    const char *url;         /* NULL: no download */
    const char *checksum;    /* SHA-256 in hex, or NULL */
    const char *certificate; /* PEM, or NULL */
    uint64_t patience_usec;  /* for a connection, and for a source that sends nothing */
    bool tls_is_enough;      /* a source without a checksum is accepted over TLS */
} FetchSource;

/* Settings for all jobs of a runner; a reload may change them. */
typedef struct JobSettings {
    bool keep_processes;       /* do not kill processes that a script leaves behind */
    uint64_t reply_output_max; /* bytes of each output stream that a reply carries */
} JobSettings;
extern const JobSettings job_settings_default; /* for a configuration that does not set them */

/* Everything that the executor needs to start a job. Strings belong to the argument values. */
typedef struct JobSpec {
    const char *command;
    char *const *arguments; /* positional, public; may be NULL */
    char **list;            /* owns `arguments`, unless they belong to the values */
    int script_fd;          /* -1: the command's own script */
    FetchSource source;     /* of the script, if it does not come with the request */
    int input_fd;           /* standard input, or -1 */
    JobSecret *secrets;
    size_t n_secrets;
    CommandOutput output;
    const char *reply_type; /* for output that is an object; NULL: the output names it */
    bool stream;            /* send its output lines to the console while it runs */
    bool dry_run;           /* the script must change nothing */
    bool reboots;           /* it has succeeded when the server has rebooted */
    bool as_root;
    const JobSettings *settings;
    const char *interpreter; /* NULL: as the script's first line says */
    uint64_t timeout_usec;   /* 0: the executor's default */
} JobSpec;

#define JOB_SPEC_INIT                                                                              \
    ((JobSpec){.script_fd = -1, .input_fd = -1, .settings = &job_settings_default})

void job_spec_done(JobSpec *s);

/* A command that runs inside the agent; embedded in the state that the command needs meanwhile. */
typedef struct CommandRun CommandRun;
struct CommandRun {
    void (*free)(CommandRun *run); /* also cancels it */
};
CommandRun *command_run_free(CommandRun *run);

typedef struct CommandFacts CommandFacts; /* commands/facts.h */

typedef struct CommandContext {
    sd_event *event;
    Store *store;
    const char *jobs_root; /* the executor's state directory */
    const char *guid;      /* of the request */
    const char *name;      /* under which the manager ordered it */
    const struct Command *command;
    const CommandFacts *facts;
    /* called at the end of a command that set *ret_run; takes ownership of the reply (NULL if error
     * < 0) */
    void (*done)(int error, struct json_object *reply, void *userdata);
    void *userdata;
} CommandContext;

typedef struct CommandFile CommandFile;
typedef struct Command Command;
struct Command {
    const char *name;
    CommandKind kind;
    unsigned n_references; /* of a definition that can be dropped; see command_ref() */
    const char *summary;
    const Argument *arguments;
    size_t n_arguments;
    /* Runs inside the agent; only reads, so that it may run again after a restart. Sets *ret_reply,
     * or sets *ret_run and calls context->done later (not for an immediate command). */
    int (*run)(const CommandContext *context, const ArgumentValue *values,
               struct json_object **ret_reply, CommandRun **ret_run);
    /* Or makes a job. -EINVAL, with an error text (the caller frees), if the arguments are invalid;
     * other errors are temporary. */
    int (*prepare)(const Command *c, const CommandContext *context, const ArgumentValue *values,
                   JobSpec *ret, char **ret_error);
    /* The state to store for a job that ended with 0, or for an immediate command; may be NULL. */
    int (*done)(const Command *c, const ArgumentValue *values, Effect *ret);
    const CommandFile *file;  /* its definition file; NULL: a built-in command */
    void (*free)(Command *c); /* called without references; NULL: the command is static */
};

/* A reference keeps a command even after it has left the list. NULL is allowed. */
const Command *command_ref(const Command *c);
const Command *command_unref(const Command *c);

/* Fills ret[c->n_arguments] as arguments_parse() does. Refuses a dry run of a command that does not
 * support it. */
int command_parse_arguments(const Command *c, struct json_object *arguments, ArgumentValue *ret,
                            char **ret_error);

const char *command_kind_to_string(CommandKind kind) _const_;
