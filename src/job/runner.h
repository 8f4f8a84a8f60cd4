/* SPDX-License-Identifier: Apache-2.0 */
/* Runs tasks: commands inside the agent at once, jobs in order, a limited number at a time. */
#pragma once

#include <systemd/sd-bus.h>

#include "job/execution.h"

typedef struct Runner Runner;

int runner_new(sd_event *event, const RunnerParts *parts, Runner **ret);
/* Stops following; jobs keep running. Frees the executions of all tasks. */
Runner *runner_free(Runner *r);

/* The bus is needed to start and follow jobs. */
int runner_set_bus(Runner *r, sd_bus *bus);
void runner_configure(Runner *r, unsigned workers, const JobSettings *settings);
/* A paused runner starts no jobs, and follows those that an earlier process started. */
void runner_set_paused(Runner *r, bool paused);

/* Runs an immediate command within this call, with the payload of the message and without
 * callbacks: 1 and the reply. 0: use runner_add(). */
int runner_run_now(Runner *r, Task *t, struct json_object *payload, struct json_object **ret_reply);
/* Keeps the parsed payload of a task that will be added, if a worker is free for it: otherwise the
 * stored one is loaded and parsed when the task starts. */
void runner_offer_payload(const Runner *r, Task *t, struct json_object *payload);
/* The owner of the task must be stored. The reply comes by on_finished(), never from within this
 * call. Temporary failures (memory, I/O) are retried. */
int runner_add(Runner *r, Task *t);
void runner_cancel(Runner *r, Task *t);
/* Cancels all started jobs. */
void runner_cancel_all(Runner *r);
/* Call it when the reply is stored, or not wanted: frees the worker. */
void runner_forget(Runner *r, Task *t);
typedef struct JobInfo {
    const Task *task;
    JobPhase phase;
    unsigned position; /* among waiting jobs, from 1; 0: it does not wait */
} JobInfo;

/* All jobs, in order of arrival. A result of the callback other than 0 ends the visit and is
 * returned. */
typedef int (*JobVisitor)(const JobInfo *info, void *userdata);
int runner_visit_jobs(const Runner *r, JobVisitor visit, void *userdata);
/* `on_jobs` is called for each change of that list, from within any call. */
void runner_set_observer(Runner *r, void (*on_jobs)(void *userdata), void *userdata);
