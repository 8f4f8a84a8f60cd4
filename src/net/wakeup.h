/* SPDX-License-Identifier: Apache-2.0 */
/* Tells when something has changed that makes an early attempt to connect worth while: a link, an
 * address or a route has come (rtnetlink(7)), or the wall clock was set, which includes the return
 * from sleep (TFD_TIMER_CANCEL_ON_SET, timerfd_create(2)). */
#pragma once

#include <systemd/sd-event.h>

#include "basic/macro.h"

typedef struct Wakeup Wakeup;

/* One of them is called 0.2 s after the first of the changes that come together, at most 5 times in
 * a minute: on_clock() if the clock was among them. Neither may free the wakeup; both may disable
 * it. */
typedef struct WakeupCallbacks {
    void (*on_network)(void *userdata);
    void (*on_clock)(void *userdata);
} WakeupCallbacks;

int wakeup_new(sd_event *event, const WakeupCallbacks *callbacks, void *userdata, Wakeup **ret);
Wakeup *wakeup_free(Wakeup *w);
DEFINE_CLEANUP(Wakeup *, wakeup_free)

/* While disabled, as it begins, it costs nothing, nor does the process wake up for it. Failures are
 * logged at debug level: the regular attempts go on. */
void wakeup_enable(Wakeup *w);
void wakeup_disable(Wakeup *w);
/* The limit begins anew: a connection has succeeded since. */
void wakeup_reset(Wakeup *w);
