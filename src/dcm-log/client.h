/* SPDX-License-Identifier: Apache-2.0 */
/* A job's side of org.dcmagent.Job. */
#pragma once

#include "basic/macro.h"

#define SAY_SOCKET "/run/dcm-agent-socket/varlink"

typedef struct SayOptions {
    const char *socket;   /* NULL: SAY_SOCKET */
    uint64_t silent_usec; /* how long to wait for an answer */
    uint64_t absent_usec; /* and for an agent where there is none: it may be between two lives */
} SayOptions;

/* Call the agent and wait for its answer: 0. -EREMOTEIO: it refuses, as we are no job of it;
 * -EAGAIN: it does not know; another negative errno: there is no agent, or it does not answer. */
int say_log(const SayOptions *o, const char *level, const char *line);
/* `text` may be NULL. */
int say_progress(const SayOptions *o, unsigned percent, const char *text);
