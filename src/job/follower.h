/* SPDX-License-Identifier: Apache-2.0 */
/* Follows one file of a running job and gives out its lines: what the job appends to its log, or
 * what it writes to standard output or error. */
#pragma once

#include "system/file-watch.h"

typedef enum FollowerKind { FOLLOWER_LOG, FOLLOWER_STDOUT, FOLLOWER_STDERR } FollowerKind;

typedef struct Follower Follower;

typedef struct FollowerCallbacks {
    /* A line, in UTF-8, without its end; not an empty one. */
    void (*on_line)(FollowerKind kind, const char *line, void *userdata);
    /* There may be something to read: call follower_read(). */
    void (*on_ready)(Follower *f, void *userdata);
} FollowerCallbacks;

/* `dir_fd` is the job's directory; `offset` is where an earlier follower stopped. */
int follower_new(FileWatches *watches, int dir_fd, FollowerKind kind, uint64_t offset,
                 const FollowerCallbacks *callbacks, void *userdata, Follower **ret);
Follower *follower_free(Follower *f);

/* Gives out at most *n whole lines, empty ones counted, of about JOB_READ_MAX bytes, and takes them
 * from *n. 1: there may be more; 0: there are not. */
int follower_read(Follower *f, unsigned *n);
/* The job has ended: its last line is one, also without an end. */
void follower_end(Follower *f);
/* Gives out, after the end, what dcm-run did not come to copy because it was killed; *n as above.
 */
void follower_drain(Follower *f, unsigned *n);
/* Leaves out all but the last `keep` bytes: returns how many were left out. */
uint64_t follower_skip(Follower *f, uint64_t keep);
uint64_t follower_get_offset(const Follower *f) _pure_;
