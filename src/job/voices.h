/* SPDX-License-Identifier: Apache-2.0 */
/* What running jobs say to the manager's console: lines of their log files, of their output where
 * that is wanted, and what they tell over the Varlink socket. One job's lines are limited in their
 * rate, whichever way they come. */
#pragma once

#include "job/console.h"

typedef struct Voices Voices;

typedef struct JobProgress {
    bool is_known;
    unsigned percent;
    char text[JOB_PROGRESS_SIZE];
} JobProgress;

/* How far each job was followed is kept in `directory`, over restarts of the agent; NULL: it is
 * not. */
int voices_new(sd_event *event, Console *console, const char *directory, Voices **ret);
Voices *voices_free(Voices *v);

/* The job has a directory: it is followed from now on. Does nothing if that one is. */
void voices_add(Voices *v, const char *guid, const char *command, int dir_fd, bool stream);
/* It has ended: what is left to say is said. */
void voices_remove(Voices *v, const char *guid);

/* A job's line, of at most JOB_LINE_MAX bytes, or its progress. `unit` is the job's. -ENOENT: no
 * such job runs. -EAGAIN: its lines of this second are used up; again after *ret_wait_usec. */
int voices_log(Voices *v, const char *unit, int level, const char *text, uint64_t *ret_wait_usec);
int voices_progress(Voices *v, const char *unit, unsigned percent, const char *text);

/* Told of progress. */
void voices_set_observer(Voices *v, void (*on_progress)(void *userdata), void *userdata);
/* NULL: it does not run. */
const JobProgress *voices_get_progress(const Voices *v, const char *guid);
