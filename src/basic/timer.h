/* SPDX-License-Identifier: Apache-2.0 */
/* A timer of an event loop: disarmed at first, expires once, and can be armed again. Times are
 * microseconds of CLOCK_BOOTTIME; UINT64_MAX never expires, so it disarms. */
#pragma once

#include <systemd/sd-event.h>

#include "basic/macro.h"

/* The timer is disarmed; the caller owns *ret. It may expire up to `accuracy_usec` late, to save
 * wake-ups; 0: 250 ms. */
int timer_new(sd_event *event, uint64_t accuracy_usec, sd_event_time_handler_t callback,
              void *userdata, sd_event_source **ret);

/* Fails only if the event loop has finished. */
int timer_arm(sd_event_source *timer, uint64_t at_usec);
int timer_arm_in(sd_event_source *timer, uint64_t wait_usec);
void timer_disarm(sd_event_source *timer);

/* `timer` may be NULL, then false. Its time is UINT64_MAX while it is disarmed. */
bool timer_is_armed(sd_event_source *timer);
uint64_t timer_get_time(sd_event_source *timer);
