/* SPDX-License-Identifier: Apache-2.0 */
/* Connects the alerts of this agent with their sources. */
#pragma once

#include "alert/watch.h"
#include "core/config.h"
#include "request/request-flow.h"

typedef struct Alerting Alerting;

/* Borrows its arguments, which must outlive it. */
int alerting_new(sd_event *event, Store *store, Health *health, RequestFlow *flow,
                 Connection *connection, Alerting **ret);
Alerting *alerting_free(Alerting *a);
DEFINE_CLEANUP(Alerting *, alerting_free)

int alerting_configure(Alerting *a, const Config *config);
/* Takes ownership of the rules. */
int alerting_set_rules(Alerting *a, AlertRules *rules);
/* Handles a new sample. */
void alerting_sampled(Alerting *a, const Stat *stat, const Series *series);
Alerts *alerting_get_alerts(const Alerting *a) _pure_;
