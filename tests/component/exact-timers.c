/* SPDX-License-Identifier: Apache-2.0 */
/* To be preloaded: timers that leave their accuracy to sd-event, which is 250 ms then, elapse on
 * time. So a test of a thousand waits of 10 ms does not take minutes. */
#include <dlfcn.h>
#include <systemd/sd-event.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT int sd_event_add_time(sd_event *event, sd_event_source **ret, clockid_t clock, uint64_t usec,
                             uint64_t accuracy, sd_event_time_handler_t callback, void *userdata) {
    static typeof(&sd_event_add_time) original;

    if (!original)
        original = (typeof(original))dlsym(RTLD_NEXT, "sd_event_add_time");
    return original(event, ret, clock, usec, accuracy > 0 ? accuracy : 1, callback, userdata);
}

EXPORT int sd_event_add_time_relative(sd_event *event, sd_event_source **ret, clockid_t clock,
                                      uint64_t usec, uint64_t accuracy,
                                      sd_event_time_handler_t callback, void *userdata) {
    static typeof(&sd_event_add_time_relative) original;

    if (!original)
        original = (typeof(original))dlsym(RTLD_NEXT, "sd_event_add_time_relative");
    return original(event, ret, clock, usec, accuracy > 0 ? accuracy : 1, callback, userdata);
}
