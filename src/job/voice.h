/* SPDX-License-Identifier: Apache-2.0 */
/* What one running job says to the manager's console: lines of its log file, of its output where
 * that is wanted, and what it sends over the Varlink socket. Its lines are limited in their rate,
 * whichever way they come. */
#pragma once

#include "job/console.h"
#include "system/file-watch.h"

typedef struct Voice Voice;

typedef struct JobProgress {
    bool is_known;
    unsigned percent;
    char text[JOB_PROGRESS_SIZE];
} JobProgress;

/* What all voices share; borrowed. */
typedef struct VoicePlace {
    sd_event *event;
    FileWatches *watches;
    Console *console;
    int directory_fd; /* where read positions are kept over restarts of the agent; -1: nowhere */
} VoicePlace;

int voice_new(const VoicePlace *place, const char *guid, const char *command, Voice **ret);
Voice *voice_free(Voice *x);
DEFINE_CLEANUP(Voice *, voice_free)

/* Follows the files of the job's directory from now on, its output too if `stream`. Does nothing if
 * that directory is followed already. */
void voice_follow(Voice *x, int dir_fd, bool stream);
/* The job has ended: sends what is left, and forgets the read position. */
void voice_end(Voice *x);

/* A line of at most JOB_LINE_MAX bytes. -EAGAIN: its lines of this second are used up; again after
 * *ret_wait_usec. */
int voice_log(Voice *x, int level, const char *text, uint64_t *ret_wait_usec);
/* The console gets one in a second, and the end at once. */
void voice_progress(Voice *x, unsigned percent, const char *text);

const char *voice_get_guid(const Voice *x) _pure_;
const char *voice_get_unit(const Voice *x) _pure_;
const JobProgress *voice_get_progress(const Voice *x) _pure_;
