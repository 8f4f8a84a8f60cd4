/* SPDX-License-Identifier: Apache-2.0 */
/* The machine that runs: what would write again what is removed. */
#pragma once

#include "basic/macro.h"

/* 0: no job runs; else it was told. `guid`: one that may run, that of the caller; may be NULL. */
int live_check_jobs(const char *guid);
/* Stops the agent with its executor, and sees that no job has begun meanwhile, else the agent runs
 * again. */
int live_stop_agent(void);
/* Stops all jobs, and the executor. */
void live_stop_jobs(void);
/* journald keeps what comes from now on in memory; the random seed is not saved any more. */
void live_stop_journal(void);
void live_stop_seed(void);
