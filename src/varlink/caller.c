/* SPDX-License-Identifier: Apache-2.0 */
/* A process number alone can be somebody else's by the time systemd answers: a descriptor of the
 * process says whether it is still there then. */
#include "varlink/caller.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "basic/fd-util.h"

#ifndef SO_PEERPIDFD /* Linux 6.5 */
#define SO_PEERPIDFD 77
#endif
#define UNITS_PATH "/org/freedesktop/systemd1/unit"

struct Caller {
    sd_bus_slot *slot;
    int pid_fd;
    CallerCallback callback;
    void *userdata;
};

static int open_process(int socket_fd, pid_t pid) {
    socklen_t size = sizeof(int);
    int fd;

    if (getsockopt(socket_fd, SOL_SOCKET, SO_PEERPIDFD, &fd, &size) >= 0)
        return fd;
    fd = (int)syscall(SYS_pidfd_open, pid, 0);
    return fd < 0 ? -errno : fd;
}

static bool has_ended(int pid_fd) {
    struct pollfd p = {.fd = pid_fd, .events = POLLIN};

    return poll(&p, 1, 0) != 0;
}

static int on_unit(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    const sd_bus_error *e = sd_bus_message_get_error(m);
    _cleanup_free_ char *unit = NULL;
    const char *path = NULL;
    Caller *c = userdata;
    int r = 0;

    if (e)
        r = -abs(sd_bus_error_get_errno(e));
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

int caller_new(sd_bus *bus, int socket_fd, CallerCallback callback, void *userdata, Caller **ret) {
    socklen_t size = sizeof(struct ucred);
    struct ucred peer;
    Caller *c;
    int r;

    if (getsockopt(socket_fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return -errno;
    c = calloc(1, sizeof(*c));
    if (!c)
        return -ENOMEM;
    c->callback = callback;
    c->userdata = userdata;
    c->pid_fd = open_process(socket_fd, peer.pid);
    r = c->pid_fd < 0 ? c->pid_fd
                      : sd_bus_call_method_async(bus, &c->slot, "org.freedesktop.systemd1",
                                                 "/org/freedesktop/systemd1",
                                                 "org.freedesktop.systemd1.Manager", "GetUnitByPID",
                                                 on_unit, c, "u", (uint32_t)peer.pid);
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
    safe_close(c->pid_fd);
    free(c);
    return NULL;
}
