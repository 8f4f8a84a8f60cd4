/* SPDX-License-Identifier: Apache-2.0 */
/* How a unit is started, and what it means when that fails. */
#pragma once

#include <systemd/sd-bus.h>

/* A call of StartTransientUnit() to which the properties are appended next, an a(sv). */
int transient_unit_new(sd_bus *bus, const char *unit, sd_bus_message **ret);
/* Sends it. The answer comes to the callback. */
int transient_unit_start(sd_bus_message *m, sd_bus_message_handler_t callback, void *userdata);

/* Which of our errors systemd's is: `exists` where there is such a unit; StartFailed only if
 * systemd has not started it and will not. */
const char *transient_unit_error(const sd_bus_error *e, const char *exists);
/* Logs that the unit was not started, and answers `call` with the error `name`. */
void transient_unit_refuse(sd_bus_message *call, const char *unit, const char *guid,
                           const char *command, const sd_bus_error *e, const char *name);
