/* SPDX-License-Identifier: Apache-2.0 */
/* org.freedesktop.LogControl1(5): `systemctl service-log-level dcm-agent.service debug`. */
#pragma once

#include <systemd/sd-bus.h>

int log_control_add(sd_bus *bus, const char *identifier);
