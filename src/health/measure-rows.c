/* SPDX-License-Identifier: Apache-2.0 */
#include "health/measure-rows.h"

#include <math.h>

#include "basic/array.h"
#include "basic/time-util.h"
#include "health/counter.h"

/* The bounds of the sources also limit the rows. */
static int add_row(Measure *m, const char *name, double **ret_values) {
    TRY(array_reserve(&m->rows, &m->allocated, m->n_rows + 1, SIZE_MAX));
    m->rows[m->n_rows].name = name;
    *ret_values = m->rows[m->n_rows++].values;
    return 0;
}

/* Milliseconds of one operation; 0 where there was none. */
static double latency(uint64_t msec, uint64_t n) {
    return n > 0 ? (double)msec / (double)n : 0;
}

static void measure_disk(const Disk *b, const Disk *d, double elapsed, double *values) {
    uint64_t reads = counter_delta(b->reads, d->reads);
    uint64_t writes = counter_delta(b->writes, d->writes);
    double busy_sec = (double)counter_delta(b->busy_msec, d->busy_msec) / 1000;

    values[0] = (double)reads / elapsed;
    values[1] = (double)writes / elapsed;
    values[2] =
        (double)counter_delta(b->sectors_read, d->sectors_read) * DISK_SECTOR_SIZE / elapsed;
    values[3] =
        (double)counter_delta(b->sectors_written, d->sectors_written) * DISK_SECTOR_SIZE / elapsed;
    values[4] = latency(counter_delta(b->read_msec, d->read_msec), reads);
    values[5] = latency(counter_delta(b->write_msec, d->write_msec), writes);
    values[6] = MIN(busy_sec / elapsed, 1.0);
    values[7] = (double)d->n_in_flight;
}

int measure_disks(const Snapshot *before, const Snapshot *now, Measure *ret) {
    double elapsed = snapshot_elapsed(before, now, SOURCE_DISKS), *values;

    if (elapsed <= 0)
        return 0;
    for (size_t i = 0; i < now->disks.n; i++) {
        const Disk *d = &now->disks.disks[i], *b = disk_table_find(&before->disks, d, i);

        if (!d->is_whole || !b)
            continue;
        TRY(add_row(ret, d->name, &values));
        measure_disk(b, d, elapsed, values);
    }
    return 1;
}

int measure_interfaces(const Snapshot *before, const Snapshot *now, Measure *ret) {
    double elapsed = snapshot_elapsed(before, now, SOURCE_INTERFACES), *values;

    if (elapsed <= 0)
        return 0;
    for (size_t i = 0; i < now->interfaces.n; i++) {
        const Interface *d = &now->interfaces.interfaces[i];
        const Interface *b = interface_table_find(&before->interfaces, d->name, i);

        if (!b)
            continue;
        TRY(add_row(ret, d->name, &values));
        values[0] = (double)counter_delta(b->bytes_in, d->bytes_in) / elapsed;
        values[1] = (double)counter_delta(b->bytes_out, d->bytes_out) / elapsed;
        values[2] = (double)counter_delta(b->packets_in, d->packets_in) / elapsed;
        values[3] = (double)counter_delta(b->packets_out, d->packets_out) / elapsed;
        values[4] = (double)counter_delta(b->errors_in, d->errors_in) / elapsed;
        values[5] = (double)counter_delta(b->errors_out, d->errors_out) / elapsed;
        values[6] = (double)counter_delta(b->drops_in, d->drops_in) / elapsed;
        values[7] = (double)counter_delta(b->drops_out, d->drops_out) / elapsed;
    }
    return 1;
}

static double share(double part, double all) {
    return all > 0 ? part / all : NAN;
}

int measure_file_systems(const Snapshot *before, const Snapshot *now, Measure *ret) {
    double *values;

    if (!(now->have & SOURCE_MASK(SOURCE_FILE_SYSTEMS)))
        return 0;
    for (size_t i = 0; i < now->file_systems->n; i++) {
        const FileSystem *s = &now->file_systems->systems[i];

        if (!s->is_known)
            continue;
        TRY(add_row(ret, s->mount_point, &values));
        values[0] = (double)s->size;
        values[1] = (double)s->used;
        values[2] = (double)s->available;
        /* some file systems allocate inodes on demand, and report no number */
        values[3] = s->n_inodes > 0 ? (double)s->n_inodes : NAN;
        values[4] = s->n_inodes > 0 ? (double)s->n_inodes_used : NAN;
        values[5] = share(values[1], values[1] + values[2]);
        values[6] = share(values[4], values[3]);
    }
    return 1;
}

static void measure_pressure_line(const PressureLine *l, double *values) {
    for (size_t i = 0; i < ELEMENTSOF(l->averages); i++)
        values[i] = l->is_known ? l->averages[i] : NAN;
    values[ELEMENTSOF(l->averages)] = l->is_known ? (double)l->total_usec : NAN;
}

int measure_pressure(const Snapshot *before, const Snapshot *now, Measure *ret) {
    static const char *const names[_PRESSURE_MAX] = {
        [PRESSURE_CPU] = "cpu",
        [PRESSURE_MEMORY] = "memory",
        [PRESSURE_IO] = "io",
    };
    double *values;

    if (!(now->have & SOURCE_MASK(SOURCE_PRESSURE)))
        return 0;
    for (size_t i = 0; i < _PRESSURE_MAX; i++) {
        const Pressure *p = &now->pressure[i];

        if (!p->some.is_known && !p->full.is_known)
            continue;
        TRY(add_row(ret, names[i], &values));
        measure_pressure_line(&p->some, values);
        measure_pressure_line(&p->full, values + 4);
    }
    return 1;
}

int measure_temperature(const Snapshot *before, const Snapshot *now, Measure *ret) {
    double *values;

    if (!(now->have & SOURCE_MASK(SOURCE_TEMPERATURE)))
        return 0;
    for (size_t i = 0; i < now->sensors->n; i++) {
        if (!now->sensors->sensors[i].is_known)
            continue;
        TRY(add_row(ret, now->sensors->sensors[i].name, &values));
        values[0] = now->sensors->sensors[i].celsius;
    }
    return 1;
}

int measure_units(const Snapshot *before, const Snapshot *now, Measure *ret) {
    double *values;

    if (!(now->have & SOURCE_MASK(SOURCE_UNITS)) || now->n_failed_units < 0)
        return 0;
    ret->values[0] = now->n_failed_units;
    for (size_t i = 0; i < now->n_failed_units_named; i++) {
        TRY(add_row(ret, now->failed_units[i], &values));
    }
    return 1;
}

int measure_arrays(const Snapshot *before, const Snapshot *now, Measure *ret) {
    double *values;

    if (!(now->have & SOURCE_MASK(SOURCE_ARRAYS)))
        return 0;
    for (size_t i = 0; i < now->arrays->n; i++) {
        const MdArray *a = &now->arrays->arrays[i];

        TRY(add_row(ret, a->name, &values));
        values[0] = (double)a->n_disks;
        values[1] = (double)a->n_missing;
        values[2] = a->is_started ? 0 : 1;
        values[3] = a->synced;
    }
    return 1;
}

int measure_missing_mounts(const Snapshot *before, const Snapshot *now, Measure *ret) {
    double *values;

    if (!(now->have & SOURCE_MASK(SOURCE_MISSING_MOUNTS)))
        return 0;
    ret->values[0] = (double)now->missing_mounts->n;
    for (size_t i = 0; i < now->missing_mounts->n_points; i++)
        TRY(add_row(ret, now->missing_mounts->points[i], &values));
    return 1;
}

static double age_sec(uint64_t begin_usec, uint64_t now_usec) {
    const uint64_t sec = now_usec > begin_usec ? (now_usec - begin_usec) / USEC_PER_SEC : 0;

    return (double)sec;
}

int measure_backups(const Snapshot *before, const Snapshot *now, Measure *ret) {
    double *values;

    if (!(now->have & SOURCE_MASK(SOURCE_BACKUPS)))
        return 0;
    for (size_t i = 0; i < now->backups->n; i++) {
        const SeriesState *s = &now->backups->series[i];
        const bool is_backed_up = s->success_usec > 0;

        TRY(add_row(ret, s->name, &values));
        values[0] = is_backed_up ? age_sec(s->success_usec, now->realtime_usec) : NAN;
        values[1] = is_backed_up ? (double)s->size_bytes : NAN;
        values[2] = s->outcome == SERIES_FAILED ? 1 : 0;
        values[3] = series_state_is_overdue(s, now->realtime_usec) ? 1 : 0;
    }
    return 1;
}
