/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "dcm-executord/executord.h"

/* systemd has not answered a start of that GUID yet. */
bool job_is_starting(const Executord *m, const char *guid);

/* Method Start */
int serve_start(Executord *m, sd_bus_message *message, sd_bus_error *error);
