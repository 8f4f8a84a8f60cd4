/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-agentctl jobs --follow */
#pragma once

#include "dcm-agentctl/ctl.h"

/* Lists them, and goes on with each change until it is interrupted or nobody reads any more. */
int jobs_follow(const Context *c);
