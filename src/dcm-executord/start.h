/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "dcm-executord/manager.h"

/* systemd has not answered a start of that GUID yet. */
bool job_is_starting(const Manager *m, const char *guid);

/* Method Start */
int job_start(Manager *m, sd_bus_message *message, sd_bus_error *error);
