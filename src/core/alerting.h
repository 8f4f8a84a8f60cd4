/* SPDX-License-Identifier: Apache-2.0 */
/* The alerts of this agent and their sources, put together. */
#pragma once

#include "alert/watch.h"
#include "core/config.h"
#include "request/request-flow.h"

typedef struct Alerting Alerting;

/* What it is given is borrowed and must outlive it. */
int alerting_new(sd_event *event, Store *store, Health *health, RequestFlow *flow,
                 Connection *connection, Alerting **ret);
Alerting *alerting_free(Alerting *a);
DEFINE_CLEANUP(Alerting *, alerting_free)

int alerting_configure(Alerting *a, const Config *config);
/* What is watched; it takes over the rules. */
int alerting_set_rules(Alerting *a, AlertRules *rules);
/* A new sample. */
void alerting_sampled(Alerting *a, const Stat *stat, const Series *series);
Alerts *alerting_get_alerts(const Alerting *a) _pure_;
