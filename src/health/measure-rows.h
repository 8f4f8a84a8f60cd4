/* SPDX-License-Identifier: Apache-2.0 */
/* Computations of the types with rows. */
#pragma once

#include "health/measure.h"

int measure_disks(const Snapshot *before, const Snapshot *now, Measure *ret);
int measure_interfaces(const Snapshot *before, const Snapshot *now, Measure *ret);
int measure_file_systems(const Snapshot *before, const Snapshot *now, Measure *ret);
int measure_pressure(const Snapshot *before, const Snapshot *now, Measure *ret);
int measure_arrays(const Snapshot *before, const Snapshot *now, Measure *ret);
int measure_missing_mounts(const Snapshot *before, const Snapshot *now, Measure *ret);
int measure_backups(const Snapshot *before, const Snapshot *now, Measure *ret);
int measure_temperature(const Snapshot *before, const Snapshot *now, Measure *ret);
int measure_units(const Snapshot *before, const Snapshot *now, Measure *ret);
