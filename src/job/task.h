/* SPDX-License-Identifier: Apache-2.0 */
/* What is to be done: one command with its arguments. Whoever has it done, a manager's request or a
 * long runner, embeds it and is told of what becomes of it. */
#pragma once

#include "job/command.h"
#include "job/effect.h"
#include "job/job.h"

typedef struct Execution Execution; /* job/execution.h */

typedef struct TaskCallbacks {
    /* It is done; takes over the reply. It is still the runner's until runner_forget(). */
    void (*on_finished)(JobEnd end, struct json_object *reply, void *userdata);
    /* It begins. */
    void (*on_started)(void *userdata);
    /* An argument that the command does not know. */
    void (*on_unknown_argument)(const char *name, void *userdata);
    /* Its payload, as stored. The caller frees. */
    int (*load_payload)(char **ret, void *userdata);
} TaskCallbacks;

typedef struct Task {
    char *guid;
    char *command;
    const Command *definition; /* of the command, held; NULL: this agent does not know it */
    uint64_t accepted_usec;    /* CLOCK_REALTIME */
    Execution *execution;      /* NULL: no runner has it */
    Effect effect;             /* to be stored with the reply */
    bool has_output;           /* its job has a directory ... */
    uint64_t output_bytes;     /* ... where that is kept */
    const TaskCallbacks *callbacks;
    void *userdata; /* of these */
} Task;

/* Accepted now. The callbacks are whoever embeds it to set, before a runner has it. */
int task_init(Task *t, const char *guid, const char *command);
/* No runner has it any more. */
void task_done(Task *t);

/* What is stored with the reply, in the transaction that is open. `agent_id` owns what is new; it
 * may be NULL. */
int task_store_end(const Task *t, Store *s, const char *agent_id);
