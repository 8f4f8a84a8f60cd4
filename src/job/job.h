/* SPDX-License-Identifier: Apache-2.0 */
/* One job: starts it at most once through the executor, and follows it through systemd, over any
 * number of restarts of this process. */
#pragma once

#include <systemd/sd-bus.h>

#include "job/command.h"
#include "job/trouble.h"

/* How a job ended. */
typedef enum JobEnd {
    JOB_END_DONE,    /* it ran; the reply is its true result */
    JOB_END_REFUSED, /* it never started and never will */
    JOB_END_LOST,    /* a reboot or a power loss interrupted it */
} JobEnd;

/* Whether an earlier call may have started it: it has a directory, or that cannot be determined. */
bool job_has_begun(const char *root, const char *guid);

/* Whether a start must pass the script: false if the executor has a copy, in a complete
 * directory. */
bool job_needs_script(const char *root, const char *guid);

typedef enum JobPhase {
    JOB_WAITING,  /* for a worker */
    JOB_STARTING, /* the executor has not made its directory yet */
    JOB_RUNNING,
    JOB_CANCELLING, /* a cancellation was ordered */
    JOB_STORING,    /* it has ended, and its reply is not stored yet */
    _JOB_PHASE_MAX,
} JobPhase;

const char *job_phase_to_string(JobPhase phase) _const_;

typedef struct Job Job;

/* Called once; the callee owns the reply. The job exists until job_free(), which the callback may
 * call. */
typedef void (*JobDone)(JobEnd end, struct json_object *reply, void *userdata);

/* Determines the state of the GUID, and starts the job if it provably never started. Takes
 * ownership of `spec`, whose strings must outlive the job. `root` is the executor's state
 * directory. */
int job_new(sd_bus *bus, const char *root, const char *guid, JobSpec *spec, JobDone done,
            void *userdata, Job **ret);
/* Stops following; the unit keeps running. */
Job *job_free(Job *j);
DEFINE_CLEANUP(Job *, job_free)

/* The phase, from JOB_STARTING on, and a callback for its changes. */
JobPhase job_get_phase(const Job *j);
void job_set_observer(Job *j, void (*on_changed)(void *userdata), void *userdata);

/* Where the job notes that it cannot be started for the time being; borrowed. */
void job_set_trouble(Job *j, Trouble *trouble);

/* The job's directory, which stays owned by the job; -1: none yet. */
int job_get_directory(const Job *j) _pure_;

/* Has the executor stop the job. JobDone reports the end. */
int job_cancel(Job *j);

/* Call it when the reply is durable: releases the unit, which may have been the only witness of the
 * result. */
void job_stored(Job *j);

/* A paused job is followed, but not started. */
void job_set_paused(Job *j, bool paused);

/* Call it after a restart of systemd: checks the state again. */
void job_look_again(Job *j);
