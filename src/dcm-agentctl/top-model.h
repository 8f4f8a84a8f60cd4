/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-agentctl top: what is known, and drawn. */
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
    HealthSamples newest;  /* one of each type, in these */
    History cpu, memory;   /* shares */
    History disk, network; /* bytes/s */
    JobList jobs, jobs_before;
    uint64_t jobs_usec, jobs_before_usec; /* when they were measured, CLOCK_BOOTTIME */
    struct json_object *status;           /* properties of the agent; NULL: it is not running */
    SampleUnits units;
} TopModel;

/* The units. */
int top_model_load(TopModel *m, const Context *c, sd_bus_error *error);
void top_model_done(TopModel *m);
/* Takes over the sample, in the place of the one before of that type. */
void top_model_take(TopModel *m, HealthSample *s);
/* Asks the agent for its status and its jobs, and systemd what these use. */
void top_model_refresh(TopModel *m, const Context *c);
