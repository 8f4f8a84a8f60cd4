/* SPDX-License-Identifier: Apache-2.0 */
/* Runs tasks: commands of the agent at once, jobs in their order, so many at a time. */
#pragma once

#include <systemd/sd-bus.h>

#include "job/execution.h"

typedef struct Runner Runner;

int runner_new(sd_event *event, const RunnerParts *parts, Runner **ret);
/* Stops following; jobs run on. All tasks' executions are freed. */
Runner *runner_free(Runner *r);

/* From then on jobs can be started and followed. */
int runner_set_bus(Runner *r, sd_bus *bus);
void runner_configure(Runner *r, unsigned workers, const JobSettings *settings);
/* While paused no job is begun; those that an earlier process began are followed. */
void runner_set_paused(Runner *r, bool paused);

/* An immediate command is run in this call, with the payload of the message, without on_started()
 * and on_finished(): 1 and the reply. 0: it is for runner_add(). */
int runner_run_now(Runner *r, Task *t, struct json_object *payload, struct json_object **ret_reply);
/* What it is done for must be stored. Its reply comes by on_finished(), never from inside this
 * call. What passes (memory, I/O) is tried again until it has. */
int runner_add(Runner *r, Task *t);
void runner_cancel(Runner *r, Task *t);
/* All jobs that have been started. */
void runner_cancel_all(Runner *r);
/* The reply is stored, or not wanted: the worker is free for the next one. */
void runner_forget(Runner *r, Task *t);
typedef struct JobInfo {
    const Task *task;
    JobPhase phase;
    unsigned position; /* among those that wait, from 1; 0: it does not */
} JobInfo;

/* All jobs, in the order in which they came. A result of the callback that is not 0 ends it, and is
 * returned. */
typedef int (*JobVisitor)(const JobInfo *info, void *userdata);
int runner_visit_jobs(const Runner *r, JobVisitor visit, void *userdata);
/* Told of each change of what that lists, from inside of any call. */
void runner_set_observer(Runner *r, void (*on_jobs)(void *userdata), void *userdata);
