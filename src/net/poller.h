/* SPDX-License-Identifier: Apache-2.0 */
/* Many sockets as one source of an sd-event loop. sd-event asks the kernel for all ready sockets
 * before each single callback, so that n sockets that become ready at once cost n²; here they cost
 * n. Each turn of the loop serves a bounded number of them, then other event sources take their
 * turn. */
#pragma once

#include <systemd/sd-event.h>

#include "basic/macro.h"

typedef struct Poller Poller;
typedef struct PollSource PollSource;

/* Each may free its own source and any other one. */
typedef struct PollCallbacks {
    void (*on_io)(int fd, uint32_t revents, void *userdata);
    void (*on_soon)(void *userdata); /* may be NULL if poll_source_call_soon() is never called */
} PollCallbacks;

int poller_new(sd_event *event, Poller **ret);
/* All its sources must have been freed. */
Poller *poller_free(Poller *p);
DEFINE_CLEANUP(Poller *, poller_free)

/* Watches the descriptor for the events of epoll_ctl(2). The callbacks must outlive the source. The
 * descriptor must outlive it, too. */
int poll_source_new(Poller *p, int fd, uint32_t events, const PollCallbacks *callbacks,
                    void *userdata, PollSource **ret);
PollSource *poll_source_free(PollSource *s);
DEFINE_CLEANUP(PollSource *, poll_source_free)

int poll_source_set_events(PollSource *s, uint32_t events);
/* Calls on_soon() once, after the callbacks of this turn. */
void poll_source_call_soon(PollSource *s);
/* No callback follows any more. */
void poll_source_stop(PollSource *s);
