/* SPDX-License-Identifier: Apache-2.0 */
/* One task that is worked on: its arguments are read, the command is run inside or as a
 * job, and what comes of it is handed on. When, and how many at a time, is the runner's to say. */
#pragma once

#include <sys/queue.h>
#include <systemd/sd-bus.h>

#include "job/fetch.h"
#include "job/task.h"
#include "job/voices.h"

/* What it works with; borrowed. */
typedef struct RunnerParts {
    Store *store;
    Voices *voices;
    const char *jobs_root; /* the executor's state directory */
    const CommandFacts *facts;
} RunnerParts;

/* What the executions of one runner have in common. */
typedef struct ExecutionHost {
    sd_event *event;
    sd_event_source *pump;  /* starts and delivers from the loop, never from inside a call */
    sd_event_source *timer; /* ends all pauses */
    RunnerParts parts;
    sd_bus *bus;     /* NULL: there is none yet */
    unsigned n_jobs; /* that have a worker */
    bool paused;
    JobSettings settings;
    void (*on_jobs)(void *userdata);
    void *observer;
} ExecutionHost;

/* Has the pump run. */
void execution_host_wake(const ExecutionHost *h);
/* What the jobs are has changed. */
void execution_host_tell(const ExecutionHost *h);

typedef enum ExecutionPhase {
    EXECUTION_WAITING,
    EXECUTION_PAUSED, /* waiting, when the timer ends */
    EXECUTION_RUNNING,
    EXECUTION_FINISHED,
} ExecutionPhase;

struct Execution {
    ExecutionHost *host;
    Task *task;
    const Command *command; /* the task's definition */
    ExecutionPhase phase;
    bool is_job;
    bool cancelled;
    bool stream;
    ArgumentValue *values; /* the job's strings live here */
    JobSpec spec;          /* while its script is downloaded */
    Fetch *fetch;
    Job *job;
    CommandRun *run;
    JobEnd end; /* when finished inside a call, until the loop delivers it */
    struct json_object *reply;
    TAILQ_ENTRY(Execution) entries; /* the runner's */
};

int execution_new(ExecutionHost *host, Task *t, Execution **ret);
Execution *execution_free(Execution *x);

/* Both from the loop: it begins; what waits in `reply` is handed on, which may free it. */
void execution_start(Execution *x);
void execution_deliver(Execution *x);
void execution_cancel(Execution *x);
JobPhase execution_get_phase(const Execution *x);

/* runner_run_now() */
int execution_run_now(ExecutionHost *h, Task *t, struct json_object *payload,
                      struct json_object **ret_reply);
