/* SPDX-License-Identifier: Apache-2.0 */
/* The one table of commands. Argument checking, `plugins` in the handshake, the D-Bus listing and
 * the manual page come from it. */
#pragma once

#include <systemd/sd-event.h>

#include "proto/argument.h"
#include "store/store.h"

typedef enum CommandKind {
    COMMAND_NORMAL,    /* queued, answered when done */
    COMMAND_IMMEDIATE, /* `run` answers inside of the call */
    COMMAND_LONG,      /* answered with a number, and asked for by that */
    _COMMAND_KIND_MAX,
} CommandKind;

/* What the executor needs to know to start a job. Strings belong to the argument values. */
typedef struct JobSpec {
    const char *command;
    char *const *arguments; /* positional, public; NULL: none */
    int script_fd;          /* -1: none */
    bool as_root;
    const char *interpreter; /* NULL: the script's first line decides */
    uint64_t timeout_usec;   /* 0: the executor's own limit */
} JobSpec;

void job_spec_done(JobSpec *s);

/* A command at work inside the agent. */
typedef struct CommandRun CommandRun;
CommandRun *command_run_free(CommandRun *run);

typedef struct CommandContext {
    sd_event *event;
    Store *store;
    const char *jobs_root; /* the executor's state directory */
    /* the end of a command that takes its time; takes over the reply (NULL if error < 0) */
    void (*done)(int error, struct json_object *reply, void *userdata);
    void *userdata;
} CommandContext;

typedef struct Command {
    const char *name;
    CommandKind kind;
    const char *summary;
    const Argument *arguments;
    size_t n_arguments;
    /* Runs inside the agent; only reads, so that it may be run again after a restart. Sets
     * *ret_reply, or *ret_run and calls context->done later (not an immediate one). */
    int (*run)(const CommandContext *context, const ArgumentValue *values,
               struct json_object **ret_reply, CommandRun **ret_run);
    /* Or is a job: -EINVAL and an error text (the caller frees) if the arguments make none; another
     * error passes. */
    int (*prepare)(const ArgumentValue *values, JobSpec *ret, char **ret_error);
} Command;

const char *command_kind_to_string(CommandKind kind) _const_;
