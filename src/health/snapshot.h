/* SPDX-License-Identifier: Apache-2.0 */
/* One reading of all requested sources, and the open files of the sources. A rate needs two
 * readings. */
#pragma once

#include "backup/series-state.h"
#include "health/disk.h"
#include "health/file-system.h"
#include "health/footprint.h"
#include "health/interface.h"
#include "health/load.h"
#include "health/md-array.h"
#include "health/memory.h"
#include "health/temperature.h"
#include "health/wanted-mount.h"
#include "system/proc.h"

typedef enum Source {
    SOURCE_CPU,
    SOURCE_DISKS,
    SOURCE_INTERFACES,
    SOURCE_MEMORY,
    SOURCE_LOAD,
    SOURCE_PRESSURE,
    SOURCE_FILE_SYSTEMS,
    SOURCE_TEMPERATURE,
    SOURCE_FOOTPRINT,
    SOURCE_ARRAYS,
    SOURCE_MISSING_MOUNTS,
    SOURCE_BACKUPS,
    SOURCE_UNITS, /* from systemd: health/failed-units.h */
    _SOURCE_MAX,
} Source;

#define SOURCE_MASK(s) (1u << (s))

enum { PRESSURE_CPU, PRESSURE_MEMORY, PRESSURE_IO, _PRESSURE_MAX };

typedef struct SourceTime {
    uint64_t monotonic_usec; /* does not count sleep */
    uint64_t boottime_usec;
} SourceTime;

typedef struct Snapshot {
    unsigned have; /* mask of sources that could be read */
    uint64_t realtime_usec;
    uint64_t interval_usec; /* nominal interval between readings */
    SourceTime times[_SOURCE_MAX];
    CpuTimes cpu;
    DiskTable disks;
    InterfaceTable interfaces;
    Memory memory;
    Load load;
    Pressure pressure[_PRESSURE_MAX];
    Footprint footprint;
    /* these need no earlier reading, and belong to the sources */
    const FileSystemTable *file_systems;
    const SensorTable *sensors;
    const MdArrayTable *arrays;
    const MissingMounts *missing_mounts;
    const SeriesStates *backups;
    int n_failed_units; /* as of failed_units_get() */
    char *const *failed_units;
    size_t n_failed_units_named;
} Snapshot;

void snapshot_done(Snapshot *s);

/* Seconds of CLOCK_MONOTONIC between two readings of a source. 0: no rate, because a reading is
 * missing, the two are closer than half of the interval, or the machine slept in between. */
double snapshot_elapsed(const Snapshot *before, const Snapshot *now, Source source);

typedef struct Sources Sources;

/* Reads proc and sys below `root`. */
int sources_new(const char *root, Sources **ret);
Sources *sources_free(Sources *s);
DEFINE_CLEANUP(Sources *, sources_free)
/* Closes all files until the next reading. */
void sources_rest(Sources *s);

/* Reads the sources of the mask into *ret, and reuses constant data of `before`. A source that
 * cannot be read is missing in ret->have. The caller handles SOURCE_UNITS. */
void sources_read(Sources *s, unsigned mask, const Snapshot *before, Snapshot *ret);
