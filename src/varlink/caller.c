/* SPDX-License-Identifier: Apache-2.0 */
/* The process number alone may be reused by the time systemd answers: a descriptor of the process
 * shows whether it still exists then. */
#include "varlink/caller.h"

#include <poll.h>
#include <string.h>

#define SYSTEMD_ERRORS "org.freedesktop.systemd1."
#define UNITS_PATH "/org/freedesktop/systemd1/unit"

struct Caller {
    sd_bus_slot *slot;
    int pid_fd;
    CallerCallback callback;
    void *userdata;
};

static bool has_ended(int pid_fd) {
    struct pollfd p = {.fd = pid_fd, .events = POLLIN};

    return poll(&p, 1, 0) != 0;
}

static bool says_none(const sd_bus_error *e) {
    return e->name && strncmp(e->name, SYSTEMD_ERRORS, strlen(SYSTEMD_ERRORS)) == 0;
}

static int on_unit(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    const sd_bus_error *e = sd_bus_message_get_error(m);
    _cleanup_free_ char *unit = NULL;
    const char *path = NULL;
    Caller *c = userdata;
    int r = 0;

    if (e)
        r = says_none(e) ? -ENXIO : -EAGAIN;
    else if (has_ended(c->pid_fd))
        r = -ESRCH;
    else
        r = sd_bus_message_read(m, "o", &path);
    if (path) {
        r = sd_bus_path_decode(path, UNITS_PATH, &unit);
        if (r == 0)
            r = -EBADMSG;
    }
    c->callback(MIN(r, 0), r < 0 ? NULL : unit, c->userdata);
    return 0;
}

int caller_new(sd_bus *bus, pid_t pid, int pid_fd, CallerCallback callback, void *userdata,
               Caller **ret) {
    Caller *c;
    int r;

    if (pid_fd < 0)
        return pid_fd;
    c = calloc(1, sizeof(*c));
    if (!c)
        return -ENOMEM;
    *c = (Caller){.pid_fd = pid_fd, .callback = callback, .userdata = userdata};
    r = sd_bus_call_method_async(bus, &c->slot, "org.freedesktop.systemd1",
                                 "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager",
                                 "GetUnitByPID", on_unit, c, "u", (uint32_t)pid);
    if (r < 0) {
        caller_free(c);
        return r;
    }
    *ret = c;
    return 0;
}

Caller *caller_free(Caller *c) {
    if (!c)
        return NULL;
    sd_bus_slot_unref(c->slot);
    free(c);
    return NULL;
}
