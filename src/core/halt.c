/* SPDX-License-Identifier: Apache-2.0 */
#include "core/halt.h"

#include "basic/service.h"
#include "basic/time-util.h"
#include "request/job-list.h"

#define HALT_USEC USEC_PER_SEC

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    return sd_event_exit(sd_event_source_get_event(source), EXIT_HEMLOCK);
}

/* The executor checks its caller, so this process must still exist when it asks to stop jobs. */
void agent_halt(sd_event *event, RequestFlow *flow, AgentPause pause) {
    request_flow_set_paused(flow, true, agent_pause_to_string(pause));
    job_list_cancel_all(flow);
    if (sd_event_add_time_relative(event, NULL, CLOCK_BOOTTIME, HALT_USEC, 1, on_timer, NULL) < 0)
        (void)sd_event_exit(event, EXIT_HEMLOCK);
}
