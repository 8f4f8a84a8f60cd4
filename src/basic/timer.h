/* SPDX-License-Identifier: Apache-2.0 */
/* A timer of an event loop that is off until it is armed, runs out once, and can be armed again.
 * Times are microseconds of CLOCK_BOOTTIME; UINT64_MAX: never, which is off. */
#pragma once

#include <systemd/sd-event.h>

#include "basic/macro.h"

/* Off. The caller owns *ret. May run out so much later than armed for, to save wake-ups; 0: 250 ms.
 */
int timer_new(sd_event *event, uint64_t accuracy_usec, sd_event_time_handler_t callback,
              void *userdata, sd_event_source **ret);

/* Fails where the event loop has ended only. */
int timer_arm(sd_event_source *timer, uint64_t at_usec);
int timer_arm_in(sd_event_source *timer, uint64_t wait_usec);
void timer_disarm(sd_event_source *timer);

/* Also false for NULL. UINT64_MAX: it is off. */
bool timer_is_armed(sd_event_source *timer);
uint64_t timer_get_time(sd_event_source *timer);
