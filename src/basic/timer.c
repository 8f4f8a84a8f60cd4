/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/timer.h"

#include <time.h>

int timer_new(sd_event *event, uint64_t accuracy_usec, sd_event_time_handler_t callback,
              void *userdata, sd_event_source **ret) {
    sd_event_source *timer;

    TRY(sd_event_add_time(event, &timer, CLOCK_BOOTTIME, 0, accuracy_usec, callback, userdata));
    timer_disarm(timer);
    *ret = timer;
    return 0;
}

int timer_arm(sd_event_source *timer, uint64_t at_usec) {
    if (at_usec == UINT64_MAX)
        return sd_event_source_set_enabled(timer, SD_EVENT_OFF);
    TRY(sd_event_source_set_time(timer, at_usec));
    return sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

int timer_arm_in(sd_event_source *timer, uint64_t wait_usec) {
    if (wait_usec == UINT64_MAX)
        return sd_event_source_set_enabled(timer, SD_EVENT_OFF);
    TRY(sd_event_source_set_time_relative(timer, wait_usec));
    return sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

void timer_disarm(sd_event_source *timer) {
    (void)sd_event_source_set_enabled(timer, SD_EVENT_OFF);
}

bool timer_is_armed(sd_event_source *timer) {
    return timer && sd_event_source_get_enabled(timer, NULL) > 0;
}

uint64_t timer_get_time(sd_event_source *timer) {
    uint64_t at = UINT64_MAX;

    if (timer_is_armed(timer))
        (void)sd_event_source_get_time(timer, &at);
    return at;
}
