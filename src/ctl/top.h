/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-agentctl top: what is drawn. */
#pragma once

#include "ctl/jobs.h"
#include "ctl/samples.h"

#define HISTORY_MAX 120

/* The last values of one figure, oldest first. */
typedef struct History {
    double values[HISTORY_MAX];
    size_t n;
} History;

typedef struct TopModel {
    HealthSamples newest;  /* one of each type */
    History cpu, memory;   /* shares */
    History disk, network; /* bytes/s */
    JobList jobs, jobs_before;
    uint64_t jobs_usec, jobs_before_usec; /* when they were measured, CLOCK_BOOTTIME */
    struct json_object *status;           /* properties of the agent; NULL: it is not running */
    SampleUnits units;
} TopModel;

typedef struct TopScreen {
    int columns, lines; /* lines 0: no end */
    bool colour, utf8;
    const char *line_end;
} TopScreen;

void history_add(History *h, double value);
/* Draws all of it from the first line on. */
void top_draw(const TopModel *m, const TopScreen *s);
