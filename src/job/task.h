/* SPDX-License-Identifier: Apache-2.0 */
/* One command with its arguments, to be executed. Its owner, a manager's request or a long runner,
 * embeds it and receives its callbacks. */
#pragma once

#include "job/command.h"
#include "job/effect.h"
#include "job/job.h"

typedef struct Execution Execution; /* job/execution.h */

typedef struct TaskCallbacks {
    /* The task has ended; the callee owns the reply. The runner holds the task until
     * runner_forget(). */
    void (*on_finished)(JobEnd end, struct json_object *reply, void *userdata);
    /* The execution begins. */
    void (*on_started)(void *userdata);
    /* The command ignores an unknown argument. */
    void (*on_unknown_argument)(const char *name, void *userdata);
    /* Loads the stored payload. The caller frees it. */
    int (*load_payload)(char **ret, void *userdata);
} TaskCallbacks;

typedef struct Task {
    char *guid;
    char *command;
    const Command *definition;   /* a reference; NULL: an unknown command */
    uint64_t accepted_usec;      /* CLOCK_REALTIME */
    Execution *execution;        /* NULL: in no runner */
    Effect effect;               /* to be stored with the reply */
    struct json_object *payload; /* parsed, for one that starts at once; NULL: load it */
    bool has_output;             /* the job has a directory ... */
    uint64_t output_bytes;       /* ... with so much output */
    const TaskCallbacks *callbacks;
    void *userdata; /* for the callbacks */
} Task;

/* Sets the acceptance time to now. The owner must set the callbacks before it adds the task to a
 * runner. */
int task_init(Task *t, const char *guid, const char *command);
/* No runner may hold the task. */
void task_done(Task *t);

/* Stores the effect and the output row, in the open transaction that stores the reply. `agent_id`
 * becomes the owner of a new user; it may be NULL. */
int task_store_end(const Task *t, Store *s, const char *agent_id);
