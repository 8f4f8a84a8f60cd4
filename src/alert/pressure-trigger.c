/* SPDX-License-Identifier: Apache-2.0 */
#include "alert/pressure-trigger.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/log.h"

struct PressureTrigger {
    sd_event_source *io;
    void (*on_stall)(void *userdata);
    void *userdata;
};

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata) {
    PressureTrigger *t = userdata;

    if (events & EPOLLERR) { /* the kernel has removed the trigger */
        log_warning("The kernel stopped reporting pressure; to subscribe again: systemctl reload "
                    "dcm-agent");
        return sd_event_source_set_enabled(source, SD_EVENT_OFF);
    }
    t->on_stall(t->userdata);
    return 0;
}

/* The trigger lives as long as the descriptor. */
static int open_trigger(const char *resource, bool full, uint64_t stall_usec,
                        uint64_t window_usec) {
    _cleanup_close_ int fd = -1;
    char path[64], text[64];
    int size;

    (void)snprintf(path, sizeof(path), "/proc/pressure/%s", resource);
    fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    size = snprintf(text, sizeof(text), "%s %" PRIu64 " %" PRIu64, full ? "full" : "some",
                    stall_usec, window_usec);
    if (write(fd, text, (size_t)size + 1) < 0) /* including its NUL */
        return -errno;
    return TAKE_FD(fd);
}

int pressure_trigger_new(sd_event *event, const char *resource, bool full, uint64_t stall_usec,
                         uint64_t window_usec, void (*on_stall)(void *userdata), void *userdata,
                         PressureTrigger **ret) {
    _cleanup_(pressure_trigger_freep) PressureTrigger *t = calloc(1, sizeof(*t));
    _cleanup_close_ int fd = -1;

    if (!t)
        return -ENOMEM;
    t->on_stall = on_stall;
    t->userdata = userdata;
    fd = open_trigger(resource, full, stall_usec, window_usec);
    if (fd < 0)
        return fd;
    TRY(sd_event_add_io(event, &t->io, fd, EPOLLPRI, on_io, t));
    TRY(sd_event_source_set_io_fd_own(t->io, true));
    TAKE_FD(fd);
    *ret = TAKE_PTR(t);
    return 0;
}

PressureTrigger *pressure_trigger_free(PressureTrigger *t) {
    if (!t)
        return NULL;
    sd_event_source_disable_unref(t->io);
    free(t);
    return NULL;
}
