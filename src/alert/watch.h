/* SPDX-License-Identifier: Apache-2.0 */
/* Evaluates the rules of alerts.conf(5): samples their statistics or sets kernel triggers, and
 * makes one alert when a threshold is crossed and another at the end. The set of raised rules is
 * stored with the alert, so that a restarted agent does not raise it again. */
#pragma once

#include <systemd/sd-event.h>

#include "alert/alerts.h"
#include "alert/rule.h"
#include "health/health.h"

typedef struct AlertWatch AlertWatch;

/* Borrows its arguments, which must outlive it. */
int alert_watch_new(sd_event *event, Health *health, Alerts *alerts, AlertWatch **ret);
AlertWatch *alert_watch_free(AlertWatch *w);
DEFINE_CLEANUP(AlertWatch *, alert_watch_free)

/* Takes ownership of the rules. Rows that a former rule of the same name has raised stay raised;
 * those without a rule are cleared. */
int alert_watch_configure(AlertWatch *w, AlertRules *rules);
/* Handles a new sample of any statistic. */
void alert_watch_sampled(AlertWatch *w, const Stat *stat, const Series *series);
