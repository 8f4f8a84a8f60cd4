/* SPDX-License-Identifier: Apache-2.0 */
/* Decides by registry and policy whether a job may run, what it runs, as which user and within
 * which limits, whoever the caller is. */
#pragma once

#include "dcm-executord/request.h"

/* Fills the request's command, scripts, limits and user. Sets errors in `error`. */
int admit(JobRequest *q, sd_bus_error *error);

/* Checks a download, which precedes its job; `network`: from another machine. */
int admit_fetch(JobRequest *q, bool network, sd_bus_error *error);
