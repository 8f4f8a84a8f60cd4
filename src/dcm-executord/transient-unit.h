/* SPDX-License-Identifier: Apache-2.0 */
/* Starts of transient units, and their errors. */
#pragma once

#include <systemd/sd-bus.h>

/* Makes a call of StartTransientUnit(); the caller appends the properties next, an a(sv). */
int transient_unit_new(sd_bus *bus, const char *unit, sd_bus_message **ret);
/* Sends the call; `callback` receives the answer. */
int transient_unit_start(sd_bus_message *m, sd_bus_message_handler_t callback, void *userdata);

/* Maps systemd's error to an error of the interface: `exists` if the unit exists; StartFailed only
 * if systemd has not started the unit and never will. */
const char *transient_unit_error(const sd_bus_error *e, const char *exists);
/* Logs that the unit was not started, and answers `call` with the error `name`. */
void transient_unit_refuse(sd_bus_message *call, const char *unit, const char *guid,
                           const char *command, const sd_bus_error *e, const char *name);
