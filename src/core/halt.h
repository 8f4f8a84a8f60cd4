/* SPDX-License-Identifier: Apache-2.0 */
/* The end of an agent that systemd does not start again by itself: its jobs are stopped, waiting
 * ones stay for a later start, and the process exits with EXIT_HEMLOCK. */
#pragma once

#include "core/pause.h"
#include "request/request-flow.h"

/* Not from within a change of a request. */
void agent_halt(sd_event *event, RequestFlow *flow, AgentPause pause);
