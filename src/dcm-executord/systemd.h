/* SPDX-License-Identifier: Apache-2.0 */
/* systemd on the bus: org.freedesktop.systemd1(5). */
#pragma once

#include <systemd/sd-bus.h>

#define SYSTEMD_NAME "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define SYSTEMD_INTERFACE "org.freedesktop.systemd1.Manager"

/* Calls a method of systemd's manager. `callback` receives the answer; NULL: no answer is
 * wanted. */
int systemd_call_async(sd_bus *bus, sd_bus_message_handler_t callback, void *userdata,
                       const char *method, const char *types, ...);
