/* SPDX-License-Identifier: Apache-2.0 */
#include "core/alerting.h"

#include "alert/intrusion.h"

struct Alerting {
    RequestFlow *flow;
    Connection *connection;
    Alerts *alerts;
    Intrusion *intrusion;
    AlertWatch *watch;
};

static int commit(void *userdata) {
    Alerting *a = userdata;

    return request_flow_commit(a->flow);
}

static int send_alert(struct json_object *message, void *userdata) {
    Alerting *a = userdata;

    return connection_send(a->connection, message);
}

static bool is_congested(void *userdata) {
    Alerting *a = userdata;

    return connection_is_congested(a->connection);
}

int alerting_configure(Alerting *a, const Config *config) {
    alerts_configure(a->alerts, config->retransmission_usec);
    return intrusion_configure(a->intrusion, config->ossec ? config->alert_file : NULL,
                               config->alert_interval_usec, (int)config->alert_threshold);
}

int alerting_set_rules(Alerting *a, AlertRules *rules) {
    return alert_watch_configure(a->watch, rules);
}

void alerting_sampled(Alerting *a, const Stat *stat, const Series *series) {
    alert_watch_sampled(a->watch, stat, series);
}

Alerts *alerting_get_alerts(const Alerting *a) {
    return a->alerts;
}

int alerting_new(sd_event *event, Store *store, Health *health, RequestFlow *flow,
                 Connection *connection, Alerting **ret) {
    static const AlertsCallbacks callbacks = {
        .commit = commit, .send = send_alert, .is_congested = is_congested};
    _cleanup_(alerting_freep) Alerting *a = calloc(1, sizeof(*a));

    if (!a)
        return -ENOMEM;
    a->flow = flow;
    a->connection = connection;
    TRY(alerts_new(event, store, &callbacks, a, &a->alerts));
    TRY(intrusion_new(event, a->alerts, &a->intrusion));
    TRY(alert_watch_new(event, health, a->alerts, &a->watch));
    *ret = TAKE_PTR(a);
    return 0;
}

Alerting *alerting_free(Alerting *a) {
    if (!a)
        return NULL;
    alert_watch_free(a->watch);
    intrusion_free(a->intrusion);
    alerts_free(a->alerts);
    free(a);
    return NULL;
}
