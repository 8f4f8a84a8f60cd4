/* SPDX-License-Identifier: Apache-2.0 */
/* Follows one file of a running job and passes on its lines: its log, standard output or standard
 * error. */
#pragma once

#include "system/file-watch.h"

typedef enum FollowerKind { FOLLOWER_LOG, FOLLOWER_STDOUT, FOLLOWER_STDERR } FollowerKind;

typedef struct Follower Follower;

typedef struct FollowerCallbacks {
    /* A non-empty line, in UTF-8, without its end. */
    void (*on_line)(FollowerKind kind, const char *line, void *userdata);
    /* Bytes may be available: call follower_read(). */
    void (*on_ready)(Follower *f, void *userdata);
} FollowerCallbacks;

/* `dir_fd` is the job's directory; `offset` is the position of an earlier follower. */
int follower_new(FileWatches *watches, int dir_fd, FollowerKind kind, uint64_t offset,
                 const FollowerCallbacks *callbacks, void *userdata, Follower **ret);
Follower *follower_free(Follower *f);

/* Passes on at most *n complete lines, counting empty ones, of about JOB_READ_MAX bytes, and
 * decrements *n. 1: there may be more; 0: there are not. */
int follower_read(Follower *f, unsigned *n);
/* The job has ended: from now on an unterminated last line counts as complete. */
void follower_end(Follower *f);
/* After the end, passes on lines that dcm-run did not copy because it was killed; *n as above. */
void follower_drain(Follower *f, unsigned *n);
/* Skips all but the last `keep` bytes; returns the number of skipped bytes. */
uint64_t follower_skip(Follower *f, uint64_t keep);
uint64_t follower_get_offset(const Follower *f) _pure_;
