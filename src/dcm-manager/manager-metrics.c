/* SPDX-License-Identifier: Apache-2.0 */
/* Everything is a counter or a length that is known, but for the requests that are open, of which
 * so many are counted at most that this takes milliseconds. */
#include "dcm-manager/manager-metrics.h"

#include <stdio.h>

#include "dcm-manager/manager-peers.h"
#include "proto/exposition.h"

#define LABEL(name, value) ((const char *const[]){name, value, NULL})

static void expose_agents(Exposition *x, const Manager *m, int64_t known) {
    static const MetricFamily connected = {"dcm_manager_agents_connected", METRIC_GAUGE, NULL,
                                           "Agents that are connected."};
    static const MetricFamily all = {"dcm_manager_agents_known", METRIC_GAUGE, NULL,
                                     "Agents that are known."};
    static const MetricFamily room = {"dcm_manager_agents_room", METRIC_GAUGE, NULL,
                                      "Agents that may be connected at once."};
    static const MetricFamily draining = {"dcm_manager_draining", METRIC_GAUGE, NULL,
                                          "1: the manager sends its agents away."};

    exposition_add_single(x, &connected, m->peers[PEER_ACCEPTED].n);
    exposition_add_single(x, &all, (double)known);
    exposition_add_single(x, &room, m->peers_max[PEER_ACCEPTED]);
    exposition_add_single(x, &draining, m->is_draining);
}

static void expose_connections(Exposition *x, const Manager *m) {
    static const MetricFamily now = {"dcm_manager_connections", METRIC_GAUGE, NULL,
                                     "Connections without an agent, by what they do."};
    static const MetricFamily connects = {"dcm_manager_connects", METRIC_COUNTER, NULL,
                                          "Connections of agents that were accepted."};
    static const MetricFamily ends = {"dcm_manager_disconnects", METRIC_COUNTER, NULL,
                                      "Connections of agents that have ended."};
    static const MetricFamily new = {"dcm_manager_registrations", METRIC_COUNTER, NULL,
                                     "Agents that were registered."};
    const ManagerCounters *c = &m->counters;

    exposition_begin(x, &now);
    exposition_add(x, LABEL("state", "silent"), m->crowds.n[GUEST_SILENT]);
    exposition_add(x, LABEL("state", "queued"), m->crowds.n[GUEST_KNOCKED]);
    exposition_add(x, LABEL("state", "handshake"), m->peers[PEER_SHAKING].n);
    exposition_add(x, LABEL("state", "closing"), m->peers[PEER_CLOSING].n);
    exposition_add_single(x, &connects, (double)c->n_connected);
    exposition_add_single(x, &ends, (double)c->n_disconnected);
    exposition_add_single(x, &new, (double)c->n_registered);
}

static void expose_refusals(Exposition *x, const Manager *m) {
    static const MetricFamily family = {"dcm_manager_refusals", METRIC_COUNTER, NULL,
                                        "Connections that were refused or sent away, by reason."};
    const ManagerCounters *c = &m->counters;
    const struct {
        const char *reason;
        uint64_t n;
    } reasons[] = {
        {"invalid", c->refusals.n_invalid},           /* 400 */
        {"unauthorised", c->refusals.n_unauthorised}, /* 401 */
        {"copy", c->refusals.n_stale},                /* 409 */
        {"busy", c->refusals.n_busy},                 /* 503 */
        {"queue", c->n_shed},
        {"silent", c->n_dropped},
    };

    exposition_begin(x, &family);
    for (size_t i = 0; i < ELEMENTSOF(reasons); i++)
        exposition_add(x, LABEL("reason", reasons[i].reason), (double)reasons[i].n);
}

static void expose_requests(Exposition *x, const LedgerCounters *c, int64_t open, int64_t acked) {
    static const MetricFamily now = {"dcm_manager_requests", METRIC_GAUGE, NULL,
                                     "Requests that have not ended, by state; 100000 at most are "
                                     "counted of each."};
    static const MetricFamily orders = {"dcm_manager_orders", METRIC_COUNTER, NULL,
                                        "Requests that were stored."};
    static const MetricFamily ends = {"dcm_manager_requests_ended", METRIC_COUNTER, NULL,
                                      "Requests that have ended, by state."};

    exposition_begin(x, &now);
    exposition_add(x, LABEL("state", "open"), (double)open);
    exposition_add(x, LABEL("state", "acked"), (double)acked);
    exposition_add_single(x, &orders, (double)c->n_ordered);
    exposition_begin(x, &ends);
    exposition_add(x, LABEL("state", "replied"), (double)c->n_replied);
    exposition_add(x, LABEL("state", "nacked"), (double)c->n_nacked);
}

static void expose_commits(Exposition *x, const LedgerCounters *c) {
    static const MetricFamily times = {"dcm_manager_commit_seconds", METRIC_HISTOGRAM, "seconds",
                                       "How long the database took for the writes of a turn."};
    static const MetricFamily failures = {"dcm_manager_commit_failures", METRIC_COUNTER, NULL,
                                          "Commits that the database has refused."};
    uint64_t n = 0;
    char bound[32];

    exposition_begin(x, &times);
    for (size_t i = 0; i < COMMIT_BOUNDS; i++) {
        n += c->commits[i];
        (void)snprintf(bound, sizeof(bound), "%g",
                       (double)ledger_commit_bounds_usec[i] / (double)USEC_PER_SEC);
        exposition_add_part(x, "_bucket", LABEL("le", bound), (double)n);
    }
    n += c->commits[COMMIT_BOUNDS];
    exposition_add_part(x, "_bucket", LABEL("le", "+Inf"), (double)n);
    exposition_add_part(x, "_count", NULL, (double)n);
    exposition_add_part(x, "_sum", NULL, (double)c->commits_usec / (double)USEC_PER_SEC);
    exposition_add_single(x, &failures, (double)c->n_failed);
}

static void expose_certificate(Exposition *x, const Manager *m) {
    static const MetricFamily family = {"dcm_manager_certificate_end_timestamp_seconds",
                                        METRIC_GAUGE, "seconds", "When the certificate expires."};

    if (m->tls)
        exposition_add_single(x, &family,
                              (double)tls_server_expires_usec(m->tls) / (double)USEC_PER_SEC);
}

int manager_metrics(Manager *m, char **ret) {
    _cleanup_(exposition_done) Exposition x = {};
    int64_t known = ledger_count_agents(m->store), open = ledger_count_requests(m->store, false),
            acked = ledger_count_requests(m->store, true);
    const LedgerCounters *counters = ledger_get_counters(m->store);

    if (open < 0 || acked < 0)
        return (int)MIN(open, acked);
    TRY(exposition_init(&x));
    expose_agents(&x, m, known);
    expose_connections(&x, m);
    expose_refusals(&x, m);
    expose_requests(&x, counters, open, acked);
    expose_commits(&x, counters);
    expose_certificate(&x, m);
    TRY(exposition_end(&x));
    *ret = TAKE_PTR(x.text);
    return 0;
}
