/* SPDX-License-Identifier: Apache-2.0 */
/* Console lines of all running jobs: one voice for each. */
#pragma once

#include "job/voice.h"

typedef struct Voices Voices;

/* `directory` keeps the read positions over restarts of the agent; NULL: they are not kept. */
int voices_new(sd_event *event, Console *console, const char *directory, Voices **ret);
Voices *voices_free(Voices *v);
DEFINE_CLEANUP(Voices *, voices_free)

/* Follows a job that has a directory from now on. Does nothing if it is followed already. */
void voices_add(Voices *v, const char *guid, const char *command, int dir_fd, bool stream);
/* The job has ended: sends its remaining lines. */
void voices_remove(Voices *v, const char *guid);

/* voice_log() and voice_progress() of the job with that unit. -ENOENT: no such job runs. */
int voices_log(Voices *v, const char *unit, int level, const char *text, uint64_t *ret_wait_usec);
int voices_progress(Voices *v, const char *unit, unsigned percent, const char *text);

/* `on_progress` is called when a job reports progress. */
void voices_set_observer(Voices *v, void (*on_progress)(void *userdata), void *userdata);
/* NULL: the job does not run. */
const JobProgress *voices_get_progress(const Voices *v, const char *guid);
