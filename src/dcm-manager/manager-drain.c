/* SPDX-License-Identifier: Apache-2.0 */
/* An agent comes back soon after its connection was closed, so it goes where a balancer sends it,
 * which asks for /health. Where nothing else is, this manager tells it when to ask again, before
 * it is identified. */
#include "dcm-manager/manager-drain.h"

#include "basic/log.h"
#include "basic/timer.h"

/* How many are to have been asked by now. */
static unsigned count_due(const Manager *m, uint64_t now) {
    uint64_t elapsed = now - m->drain_begun_usec;

    return elapsed >= m->drain_within_usec
               ? m->drain_n
               : (unsigned)(m->drain_n * elapsed / m->drain_within_usec);
}

static int on_drain(sd_event_source *source, uint64_t usec, void *userdata) {
    Manager *m = userdata;
    unsigned left = m->drain_n - count_due(m, now_usec(CLOCK_BOOTTIME)), n = 0;

    if (m->is_stopping)
        return 0;
    for (; n < FAREWELLS_AT_ONCE && m->peers[PEER_ACCEPTED].n > left; n++)
        session_close(m->peers[PEER_ACCEPTED].first->session, CLOSE_GOING_AWAY,
                      "the manager is being drained");
    if (m->peers[PEER_ACCEPTED].n > 0)
        (void)timer_arm_in(m->drain, n == FAREWELLS_AT_ONCE ? 0 : DRAIN_STEP_USEC);
    else
        log_notice("No agent is connected any more");
    return 0;
}

int drain_set_up(Manager *m) {
    return timer_new(m->event, DRAIN_STEP_USEC, on_drain, m, &m->drain);
}

int drain_begin(Manager *m, uint64_t within_usec) {
    m->is_draining = true;
    m->drain_n = m->peers[PEER_ACCEPTED].n;
    m->drain_begun_usec = now_usec(CLOCK_BOOTTIME);
    m->drain_within_usec = within_usec;
    log_notice("%u agents are asked to come back elsewhere or later, within %g s; none is taken "
               "until a restart",
               m->drain_n, (double)within_usec / (double)USEC_PER_SEC);
    TRY(timer_arm_in(m->drain, 0));
    if (m->drain_n == 0)
        peers_count_changed(m);
    return 0;
}
