/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "dcm-executord/executord.h"

/* Whether a start of that GUID waits for systemd's answer. */
bool job_is_starting(const Executord *m, const char *guid);

/* Implements the method Start. */
int serve_start(Executord *m, sd_bus_message *message, sd_bus_error *error);
