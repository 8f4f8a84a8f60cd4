/* SPDX-License-Identifier: Apache-2.0 */
/* The computations of samples from two readings (stat_type.measure). Pure. */
#pragma once

#include "health/snapshot.h"

#define STAT_FIELDS_PER_ROW_MAX 8

typedef struct MeasureRow {
    const char *name; /* belongs to the snapshot */
    double values[STAT_FIELDS_PER_ROW_MAX];
} MeasureRow;

typedef struct Measure {
    double values[STAT_FIELDS_PER_ROW_MAX];
    MeasureRow *rows;
    size_t n_rows, allocated;
} Measure;

void measure_done(Measure *m);

int measure_cpu_idle(const Snapshot *before, const Snapshot *now, Measure *ret);
int measure_system(const Snapshot *before, const Snapshot *now, Measure *ret);
int measure_disk_read_ops(const Snapshot *before, const Snapshot *now, Measure *ret);
int measure_disk_write_ops(const Snapshot *before, const Snapshot *now, Measure *ret);
int measure_disk_read_bytes(const Snapshot *before, const Snapshot *now, Measure *ret);
int measure_disk_write_bytes(const Snapshot *before, const Snapshot *now, Measure *ret);
int measure_net_bytes_in(const Snapshot *before, const Snapshot *now, Measure *ret);
int measure_net_bytes_out(const Snapshot *before, const Snapshot *now, Measure *ret);
int measure_memory(const Snapshot *before, const Snapshot *now, Measure *ret);
int measure_load(const Snapshot *before, const Snapshot *now, Measure *ret);
int measure_agent(const Snapshot *before, const Snapshot *now, Measure *ret);
