/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-agentctl top: the data to draw. */
#pragma once

#include "dcm-agentctl/job-list.h"
#include "dcm-agentctl/samples.h"

#define HISTORY_MAX 120
#define TYPES_MAX 16

/* The last values of one figure, oldest first. */
typedef struct History {
    double values[HISTORY_MAX];
    size_t n;
} History;

typedef struct TopModel {
    HealthSample samples[TYPES_MAX];
    HealthSamples newest;  /* one sample of each type, in the array above */
    History cpu, memory;   /* shares */
    History disk, network; /* bytes/s */
    JobList jobs, jobs_before;
    uint64_t jobs_usec, jobs_before_usec; /* time of the measurement, CLOCK_BOOTTIME */
    struct json_object *status;           /* properties of the agent; NULL: it does not run */
    SampleUnits units;
} TopModel;

/* Loads the units. */
int top_model_load(TopModel *m, const Context *c, sd_bus_error *error);
void top_model_done(TopModel *m);
/* Takes ownership of the sample, which replaces the previous one of its type. */
void top_model_take(TopModel *m, HealthSample *s);
/* Queries the agent for status and jobs, and systemd for their usage. */
void top_model_refresh(TopModel *m, const Context *c);
