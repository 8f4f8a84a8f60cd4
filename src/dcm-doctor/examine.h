/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the connection to the manager once, with the agent's code, and reports each step. */
#pragma once

#include "core/agent-paths.h"
#include "dcm-doctor/report.h"
#include "dcm-doctor/surroundings.h"

/* Faults of the connection are in the report; a negative errno means that the test itself
 * failed. */
int examine(const AgentPaths *options, const Surroundings *surroundings, Report *report);
