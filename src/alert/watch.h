/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of alerts.conf(5) at work: what they need is sampled, or told by the kernel, and each
 * crossing of a threshold is one alert, its end another. What is raised is stored with its alert,
 * so that an agent that is started again does not raise it a second time. */
#pragma once

#include <systemd/sd-event.h>

#include "alert/alerts.h"
#include "alert/rule.h"
#include "health/health.h"

typedef struct AlertWatch AlertWatch;

/* What it is given is borrowed and must outlive it. */
int alert_watch_new(sd_event *event, Health *health, Alerts *alerts, AlertWatch **ret);
AlertWatch *alert_watch_free(AlertWatch *w);
DEFINE_CLEANUP(AlertWatch *, alert_watch_free)

/* Takes over the rules. What a former rule of the same name has raised stays raised; what nobody
 * watches any more is cleared. */
int alert_watch_configure(AlertWatch *w, AlertRules *rules);
/* A new sample, of whatever statistic. */
void alert_watch_sampled(AlertWatch *w, const Stat *stat, const Series *series);
