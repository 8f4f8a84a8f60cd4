/* SPDX-License-Identifier: Apache-2.0 */
/* The execution of one task: reads its arguments, runs the command inside the agent or as a job,
 * and delivers the result. The runner decides when, and how many at a time. */
#pragma once

#include <sys/queue.h>
#include <systemd/sd-bus.h>

#include "job/fetch.h"
#include "job/task.h"
#include "job/voices.h"

/* What a runner uses, borrowed. */
typedef struct RunnerParts {
    Store *store;
    Voices *voices;
    Trouble *trouble;      /* may be NULL */
    const char *jobs_root; /* the executor's state directory */
    const CommandFacts *facts;
} RunnerParts;

/* Shared by all executions of one runner. */
typedef struct ExecutionHost {
    sd_event *event;
    sd_event_source *pump;  /* starts and delivers from the loop, never from within a call */
    sd_event_source *timer; /* ends all pauses */
    RunnerParts parts;
    sd_bus *bus;     /* NULL before there is one */
    unsigned n_jobs; /* that occupy a worker */
    bool paused;
    JobSettings settings;
    void (*on_jobs)(void *userdata);
    void *observer;
} ExecutionHost;

/* Schedules the pump. */
void execution_host_wake(const ExecutionHost *h);
/* Notifies the observer that the list of jobs has changed. */
void execution_host_tell(const ExecutionHost *h);

typedef enum ExecutionPhase {
    EXECUTION_WAITING,
    EXECUTION_PAUSED, /* waiting until the timer expires */
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
    ArgumentValue *values; /* own the strings of the job */
    JobSpec spec;          /* until the script is downloaded */
    Fetch *fetch;
    Job *job;
    CommandRun *run;
    JobEnd end; /* result of a call, until the loop delivers it */
    struct json_object *reply;
    TAILQ_ENTRY(Execution) entries; /* in the runner's list */
};

int execution_new(ExecutionHost *host, Task *t, Execution **ret);
Execution *execution_free(Execution *x);

/* Call these from the loop. Deliver passes on the result in `reply`; the receiver may free the
 * execution. */
void execution_start(Execution *x);
void execution_deliver(Execution *x);
void execution_cancel(Execution *x);
JobPhase execution_get_phase(const Execution *x);

/* implements runner_run_now() */
int execution_run_now(ExecutionHost *h, Task *t, struct json_object *payload,
                      struct json_object **ret_reply);
