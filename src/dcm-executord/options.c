/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-executord/options.h"

#include <errno.h>

#include "basic/macro.h"
#include "dcm-executord/errors.h"

static int read_option(sd_bus_message *m, OptionReader read, void *userdata, sd_bus_error *error) {
    const char *name;
    int r;

    TRY(sd_bus_message_read(m, "s", &name));
    r = read(m, name, userdata, error);
    if (r == -ENOENT)
        return sd_bus_error_setf(error, ERROR_INVALID_ARGUMENT, "Unknown option %s", name);
    if (r == -ENXIO)
        return sd_bus_error_setf(error, ERROR_INVALID_ARGUMENT, "Option %s has another type", name);
    return r < 0 ? r : sd_bus_message_exit_container(m);
}

int options_read(sd_bus_message *m, OptionReader read, void *userdata, sd_bus_error *error) {
    int r;

    r = sd_bus_message_enter_container(m, 'a', "{sv}");
    if (r < 0)
        return r;
    while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
        r = read_option(m, read, userdata, error);
        if (r < 0)
            return r;
    }
    return r < 0 ? r : sd_bus_message_exit_container(m);
}
