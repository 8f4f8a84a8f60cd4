/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a job is let run, as what and within which limits: the registry and the owner's policy
 * say so, whoever asks. */
#pragma once

#include "dcm-executord/request.h"

/* Fills the request's command, what runs, limits and user. An error is set in `error`. */
int admit(JobRequest *q, sd_bus_error *error);

/* The same for a download, before there is a job; `network`: from another machine. */
int admit_fetch(JobRequest *q, bool network, sd_bus_error *error);
