/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-package/inhibit.h"

#include <fcntl.h>
#include <systemd/sd-bus.h>

#include "basic/macro.h"
#include "dcm-package/progress.h"

static int call_logind(sd_bus *bus, const char *why, sd_bus_error *error) {
    sd_bus_message *reply = NULL;
    int fd, r = sd_bus_call_method(bus, "org.freedesktop.login1", "/org/freedesktop/login1",
                                   "org.freedesktop.login1.Manager", "Inhibit", error, &reply,
                                   "ssss", "shutdown", "dcm-agent", why, "block");

    if (r >= 0)
        r = sd_bus_message_read(reply, "h", &fd);
    if (r >= 0)
        r = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    (void)sd_bus_message_unref(reply);
    return r;
}

int inhibit_shutdown(const char *why) {
    sd_bus_error error = SD_BUS_ERROR_NULL;
    sd_bus *bus = NULL;
    int r = sd_bus_open_system(&bus);

    if (r < 0)
        return -1;
    r = call_logind(bus, why, &error);
    (void)sd_bus_flush_close_unref(bus);
    if (r < 0)
        progress_line("A shutdown cannot be held off meanwhile: systemd-logind does not answer.");
    sd_bus_error_free(&error);
    return r < 0 ? -1 : r;
}
