/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the steps of a plan that are not done. */
#pragma once

#include "dcm-volume/work.h"
#include "proto/job-reply.h"

/* Each step is in the record, where there is one, before its first write, and after its last one is
 * on the disk. After a failure what this run has done is undone, backwards. Fills the reply. The
 * work's locks are released. */
int run_plan(Work *w, Reply *reply);

/* Undoes what a run and those before it have done, after the plan that was to follow was refused;
 * the reply, which says why, gets what could not be undone. */
int run_give_up(Work *w, Reply *reply);

#define RUN_LOCK_FILE "/run/dcm-agent-volumes.lock"

/* One run at a time on this machine; waits for the other one, and tells that. `path`:
 * RUN_LOCK_FILE. `usec`: how long; UINT64_MAX: without end. -EBUSY: the other one has it still;
 * *ret_problem, which the caller frees, says that; it may be NULL where there is no end. */
int run_lock(const char *path, uint64_t usec, int *ret_fd, char **ret_problem);
