/* SPDX-License-Identifier: Apache-2.0 */
/* Parser of the options of a call, an a{sv}; an unknown option is an error. */
#pragma once

#include <systemd/sd-bus.h>

/* Reads the value of one option, a variant. -ENOENT: unknown option. -ENXIO: wrong type. Other
 * errors may be set in `error`. */
typedef int (*OptionReader)(sd_bus_message *m, const char *name, void *userdata,
                            sd_bus_error *error);

int options_read(sd_bus_message *m, OptionReader read, void *userdata, sd_bus_error *error);
