/* SPDX-License-Identifier: Apache-2.0 */
/* The sandbox of a job's unit, from the policy and from the command's file. */
#pragma once

#include "dcm-executord/request.h"

/* Appends to an open a(sv). */
int sandbox_append(sd_bus_message *m, const JobRequest *q);
