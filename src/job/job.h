/* SPDX-License-Identifier: Apache-2.0 */
/* One job: started at most once by the executor, followed through systemd, whoever started it and
 * however often this process was restarted in between. */
#pragma once

#include <systemd/sd-bus.h>

#include "job/command.h"

/* How a job ended. */
typedef enum JobEnd {
    JOB_END_DONE,    /* it ran; the reply is true */
    JOB_END_REFUSED, /* it never started and never will */
    JOB_END_LOST,    /* it was cut off by a reboot or a power loss */
} JobEnd;

/* Whether the executor was asked to start it before: it has a directory, or that is not known. */
bool job_has_begun(const char *root, const char *guid);

/* Whether a start needs the script: else the executor has a copy, in a directory that has all its
 * files. */
bool job_needs_script(const char *root, const char *guid);

typedef enum JobPhase {
    JOB_WAITING,  /* for a worker */
    JOB_STARTING, /* the executor has not made its directory */
    JOB_RUNNING,
    JOB_CANCELLING, /* it was told to end */
    JOB_STORING,    /* it has ended, and its reply is not stored yet */
    _JOB_PHASE_MAX,
} JobPhase;

const char *job_phase_to_string(JobPhase phase) _const_;

typedef struct Job Job;

/* Called once; takes over the reply. The job stays until job_free(), which is allowed in it. */
typedef void (*JobDone)(JobEnd end, struct json_object *reply, void *userdata);

/* Looks what became of the GUID, and starts it if it provably never started. `spec` is taken over;
 * its strings must live as long as the job. `root` is the executor's state directory. */
int job_new(sd_bus *bus, const char *root, const char *guid, JobSpec *spec, JobDone done,
            void *userdata, Job **ret);
/* Stops following. The unit goes on. */
Job *job_free(Job *j);
DEFINE_CLEANUP(Job *, job_free)

/* From JOB_STARTING on, and whom to tell when that changes by itself. */
JobPhase job_get_phase(const Job *j);
void job_set_observer(Job *j, void (*on_changed)(void *userdata), void *userdata);

/* The job's directory, which is the job's own; -1: it has none yet. */
int job_get_directory(const Job *j) _pure_;

/* Orders the executor to stop it. The end is reported by JobDone. */
int job_cancel(Job *j);

/* The reply is durable: the unit, which may have been the only witness of the job's end, can go. */
void job_stored(Job *j);

/* While it is paused it is followed, but not started. */
void job_set_paused(Job *j, bool paused);

/* Something about systemd has changed (it was restarted): look again. */
void job_look_again(Job *j);
