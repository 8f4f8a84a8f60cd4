/* SPDX-License-Identifier: Apache-2.0 */
/* Console lines of one running job: from its log file, from its output if requested, and from the
 * Varlink socket. Limits their rate whatever their source. */
#pragma once

#include "job/console.h"
#include "system/file-watch.h"

typedef struct Voice Voice;

typedef struct JobProgress {
    bool is_known;
    unsigned percent;
    char text[JOB_PROGRESS_SIZE];
} JobProgress;

/* Shared by all voices, borrowed. */
typedef struct VoicePlace {
    sd_event *event;
    FileWatches *watches;
    Console *console;
    /* for read positions, kept over restarts of the agent; -1: they are not kept */
    int directory_fd;
} VoicePlace;

int voice_new(const VoicePlace *place, const char *guid, const char *command, Voice **ret);
Voice *voice_free(Voice *x);
DEFINE_CLEANUP(Voice *, voice_free)

/* Follows the files of the job's directory from now on, its output too if `stream`. Does nothing if
 * that directory is followed already. */
void voice_follow(Voice *x, int dir_fd, bool stream);
/* The job has ended: sends its remaining lines and deletes the read position. */
void voice_end(Voice *x);

/* Sends a line of at most JOB_LINE_MAX bytes. -EAGAIN: the limit of this second is reached; retry
 * after *ret_wait_usec. */
int voice_log(Voice *x, int level, const char *text, uint64_t *ret_wait_usec);
/* Sends at most one line per second to the console, and 100 percent at once. */
void voice_progress(Voice *x, unsigned percent, const char *text);

const char *voice_get_guid(const Voice *x) _pure_;
const char *voice_get_unit(const Voice *x) _pure_;
const JobProgress *voice_get_progress(const Voice *x) _pure_;
