/* SPDX-License-Identifier: Apache-2.0 */
/* Reports changes after which an early attempt to connect is promising: a new link, address or
 * route (rtnetlink(7)), or a step of the wall clock, which includes a resume from sleep
 * (TFD_TIMER_CANCEL_ON_SET, timerfd_create(2)). */
#pragma once

#include <systemd/sd-event.h>

#include "basic/macro.h"

typedef struct Wakeup Wakeup;

/* Calls one callback 0.2 s after the first of several changes, at most 5 times per minute:
 * on_clock() if the clock was among the changes. Neither may free the wakeup; both may disable
 * it. */
typedef struct WakeupCallbacks {
    void (*on_network)(void *userdata);
    void (*on_clock)(void *userdata);
} WakeupCallbacks;

int wakeup_new(sd_event *event, const WakeupCallbacks *callbacks, void *userdata, Wakeup **ret);
Wakeup *wakeup_free(Wakeup *w);
DEFINE_CLEANUP(Wakeup *, wakeup_free)

/* A wakeup is disabled at first, and then causes no wake-ups of the process. Failures are logged at
 * debug level, because the regular attempts continue. */
void wakeup_enable(Wakeup *w);
void wakeup_disable(Wakeup *w);
/* Resets the limit, after a connection has succeeded. */
void wakeup_reset(Wakeup *w);
