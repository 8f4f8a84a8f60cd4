/* SPDX-License-Identifier: Apache-2.0 */
/* org.dcmagent.Agent1.Health, according to dbus/org.dcmagent.Agent1.xml. */
#pragma once

#include <systemd/sd-bus.h>

#include "core/agent.h"

typedef struct HealthObject HealthObject;

/* Publishes the samples at `path`, which must outlive the object. */
int health_object_new(sd_bus *bus, const char *path, Agent *agent, HealthObject **ret);
HealthObject *health_object_free(HealthObject *o);
DEFINE_CLEANUP(HealthObject *, health_object_free)

/* Handles a new sample. */
void health_object_sampled(HealthObject *o, const Stat *stat, const Series *series);
