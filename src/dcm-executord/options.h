/* SPDX-License-Identifier: Apache-2.0 */
/* The options of a call: an a{sv}, in which what is not known is a mistake. */
#pragma once

#include <systemd/sd-bus.h>

/* Reads the value of one option, a variant. -ENOENT: there is no such option. -ENXIO: it has
 * another type. Another error may be set in `error`. */
typedef int (*OptionReader)(sd_bus_message *m, const char *name, void *userdata,
                            sd_bus_error *error);

int options_read(sd_bus_message *m, OptionReader read, void *userdata, sd_bus_error *error);
