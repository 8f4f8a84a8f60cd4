/* SPDX-License-Identifier: Apache-2.0 */
/* The client of org.dcmagent.Job. */
#pragma once

#include "basic/macro.h"

#define SAY_SOCKET "/run/dcm-agent-socket/varlink"

typedef struct SayOptions {
    const char *socket;   /* NULL: SAY_SOCKET */
    uint64_t silent_usec; /* time limit for an answer */
    uint64_t absent_usec; /* time limit for an agent to appear: it may be restarting */
} SayOptions;

/* Call the agent and wait for its answer: 0. -EREMOTEIO: the agent refuses, because the caller is
 * not a job; -EAGAIN: the agent cannot determine that; another negative errno: no agent, or no
 * answer. */
int say_log(const SayOptions *o, const char *level, const char *line);
/* `text` may be NULL. */
int say_progress(const SayOptions *o, unsigned percent, const char *text);
