/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-agentctl jobs --follow */
#pragma once

#include "dcm-agentctl/ctl.h"

/* Lists the jobs and each change, until it is interrupted or standard output has no reader any
 * more. */
int jobs_follow(const Context *c);
