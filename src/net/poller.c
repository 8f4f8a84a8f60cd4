/* SPDX-License-Identifier: Apache-2.0 */
/* The epoll set is a descriptor itself, which is readable while one of its sockets is ready. Each
 * turn takes at most TURN_MAX events out of it; the kernel continues with the next ones in the next
 * turn. */
#include "net/poller.h"

#include <sys/epoll.h>
#include <unistd.h>

#include "basic/fd-util.h"

#define TURN_MAX 64

struct PollSource {
    Poller *poller;
    const PollCallbacks *callbacks;
    void *userdata;
    int fd; /* -1: not watched any more */
    uint32_t events;
    bool is_soon; /* in the list below */
    PollSource *previous, *next;
};

struct Poller {
    int fd;
    sd_event_source *io, *soon;
    struct epoll_event turn[TURN_MAX]; /* a source that is freed disappears from it */
    int n_turn;
    PollSource *first, *last; /* whose on_soon() is due */
};

static void leave_soon(PollSource *s) {
    Poller *p = s->poller;

    if (!s->is_soon)
        return;
    *(s->previous ? &s->previous->next : &p->first) = s->next;
    *(s->next ? &s->next->previous : &p->last) = s->previous;
    s->previous = s->next = NULL;
    s->is_soon = false;
}

/* Those that are added meanwhile have to wait for the next turn. */
static int on_soon(sd_event_source *source, void *userdata) {
    Poller *p = userdata;
    PollSource *last = p->last, *s;
    bool is_last;

    while ((s = p->first)) {
        is_last = s == last;
        leave_soon(s);
        s->callbacks->on_soon(s->userdata);
        /* the last one may have been freed meanwhile, and then all of them take their turn */
        if (is_last)
            break;
    }
    return sd_event_source_set_enabled(p->soon, p->first ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    Poller *p = userdata;

    p->n_turn = epoll_wait(p->fd, p->turn, TURN_MAX, 0);
    for (int i = 0; i < p->n_turn; i++) {
        PollSource *s = p->turn[i].data.ptr;

        p->turn[i].data.ptr = NULL;
        if (s && s->fd >= 0)
            s->callbacks->on_io(s->fd, p->turn[i].events, s->userdata);
    }
    p->n_turn = 0;
    return 0;
}

int poller_new(sd_event *event, Poller **ret) {
    _cleanup_(poller_freep) Poller *p = calloc(1, sizeof(*p));

    if (!p)
        return -ENOMEM;
    p->fd = epoll_create1(EPOLL_CLOEXEC);
    if (p->fd < 0)
        return -errno;
    TRY(sd_event_add_io(event, &p->io, p->fd, EPOLLIN, on_io, p));
    TRY(sd_event_add_defer(event, &p->soon, on_soon, p));
    TRY(sd_event_source_set_enabled(p->soon, SD_EVENT_OFF));
    *ret = TAKE_PTR(p);
    return 0;
}

Poller *poller_free(Poller *p) {
    if (!p)
        return NULL;
    sd_event_source_disable_unref(p->io);
    sd_event_source_disable_unref(p->soon);
    safe_close(p->fd);
    free(p);
    return NULL;
}

int poll_source_new(Poller *p, int fd, uint32_t events, const PollCallbacks *callbacks,
                    void *userdata, PollSource **ret) {
    PollSource *s = calloc(1, sizeof(*s));
    struct epoll_event event = {.events = events, .data.ptr = s};

    if (!s)
        return -ENOMEM;
    *s = (PollSource){
        .poller = p, .callbacks = callbacks, .userdata = userdata, .fd = fd, .events = events};
    if (epoll_ctl(p->fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        free(s);
        return -errno;
    }
    *ret = s;
    return 0;
}

int poll_source_set_events(PollSource *s, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = s};

    if (s->fd < 0 || events == s->events)
        return 0;
    if (epoll_ctl(s->poller->fd, EPOLL_CTL_MOD, s->fd, &event) < 0)
        return -errno;
    s->events = events;
    return 0;
}

void poll_source_call_soon(PollSource *s) {
    Poller *p = s->poller;

    if (s->is_soon || s->fd < 0)
        return;
    if (!p->first)
        (void)sd_event_source_set_enabled(p->soon, SD_EVENT_ONESHOT);
    s->is_soon = true;
    s->previous = p->last;
    *(p->last ? &p->last->next : &p->first) = s;
    p->last = s;
}

void poll_source_stop(PollSource *s) {
    leave_soon(s);
    if (s->fd >= 0)
        (void)epoll_ctl(s->poller->fd, EPOLL_CTL_DEL, s->fd, NULL);
    s->fd = -1;
}

PollSource *poll_source_free(PollSource *s) {
    if (!s)
        return NULL;
    poll_source_stop(s);
    for (int i = 0; i < s->poller->n_turn; i++)
        if (s->poller->turn[i].data.ptr == s)
            s->poller->turn[i].data.ptr = NULL;
    free(s);
    return NULL;
}
