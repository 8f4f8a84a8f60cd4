/* SPDX-License-Identifier: Apache-2.0 */
/* Sums add the differences of each device, so that a device that appears or disappears causes no
 * rate: its earlier counts do not belong to this interval. */
#include "health/measure.h"

#include <math.h>

#include "basic/time-util.h"
#include "health/counter.h"

void measure_done(Measure *m) {
    free(m->rows);
    *m = (Measure){};
}

static double subtract(uint64_t now, uint64_t before) {
    return now > before ? (double)(now - before) : 0;
}

/* Waiting for a disk counts as idle. Either value may decrease a little when a processor goes
 * offline. NAN: no time has passed. */
static double cpu_load(const Snapshot *before, const Snapshot *now) {
    double busy, idle;

    if (snapshot_elapsed(before, now, SOURCE_CPU) <= 0)
        return NAN;
    busy = subtract(now->cpu.busy, before->cpu.busy);
    idle = subtract(now->cpu.total - now->cpu.busy, before->cpu.total - before->cpu.busy);
    return busy + idle > 0 ? busy / (busy + idle) : NAN;
}

int measure_cpu_idle(const Snapshot *before, const Snapshot *now, Measure *ret) {
    ret->values[0] = 1 - cpu_load(before, now);
    return !isnan(ret->values[0]);
}

typedef struct DiskSum {
    uint64_t reads, writes, sectors_read, sectors_written;
} DiskSum;

/* `before` NULL: sums the absolute counters. */
static DiskSum sum_disks(const Snapshot *before, const Snapshot *now) {
    static const Disk none;
    DiskSum sum = {};

    for (size_t i = 0; i < now->disks.n; i++) {
        const Disk *d = &now->disks.disks[i];
        const Disk *b = before ? disk_table_find(&before->disks, d, i) : &none;

        if (!d->is_whole || !b)
            continue;
        sum.reads += counter_delta(b->reads, d->reads);
        sum.writes += counter_delta(b->writes, d->writes);
        sum.sectors_read += counter_delta(b->sectors_read, d->sectors_read);
        sum.sectors_written += counter_delta(b->sectors_written, d->sectors_written);
    }
    return sum;
}

typedef struct InterfaceSum {
    uint64_t bytes_in, bytes_out;
} InterfaceSum;

static InterfaceSum sum_interfaces(const Snapshot *before, const Snapshot *now) {
    static const Interface none;
    InterfaceSum sum = {};

    for (size_t i = 0; i < now->interfaces.n; i++) {
        const Interface *d = &now->interfaces.interfaces[i];
        const Interface *b = before ? interface_table_find(&before->interfaces, d->name, i) : &none;

        if (!b)
            continue;
        sum.bytes_in += counter_delta(b->bytes_in, d->bytes_in);
        sum.bytes_out += counter_delta(b->bytes_out, d->bytes_out);
    }
    return sum;
}

int measure_system(const Snapshot *before, const Snapshot *now, Measure *ret) {
    DiskSum disks = sum_disks(NULL, now);
    InterfaceSum interfaces = sum_interfaces(NULL, now);

    ret->values[0] = cpu_load(before, now);
    ret->values[1] = (double)disks.reads;
    ret->values[2] = (double)disks.writes;
    ret->values[3] = (double)disks.sectors_read * DISK_SECTOR_SIZE;
    ret->values[4] = (double)disks.sectors_written * DISK_SECTOR_SIZE;
    ret->values[5] = (double)interfaces.bytes_in;
    ret->values[6] = (double)interfaces.bytes_out;
    return !isnan(ret->values[0]) && (now->have & SOURCE_MASK(SOURCE_DISKS)) &&
           (now->have & SOURCE_MASK(SOURCE_INTERFACES));
}

static int set_rate(double count, double elapsed, Measure *ret) {
    if (elapsed <= 0)
        return 0;
    ret->values[0] = count / elapsed;
    return 1;
}

static int set_disk_rate(double count, const Snapshot *before, const Snapshot *now, Measure *ret) {
    return set_rate(count, snapshot_elapsed(before, now, SOURCE_DISKS), ret);
}

int measure_disk_read_ops(const Snapshot *before, const Snapshot *now, Measure *ret) {
    return set_disk_rate((double)sum_disks(before, now).reads, before, now, ret);
}

int measure_disk_write_ops(const Snapshot *before, const Snapshot *now, Measure *ret) {
    return set_disk_rate((double)sum_disks(before, now).writes, before, now, ret);
}

int measure_disk_read_bytes(const Snapshot *before, const Snapshot *now, Measure *ret) {
    return set_disk_rate((double)sum_disks(before, now).sectors_read * DISK_SECTOR_SIZE, before,
                         now, ret);
}

int measure_disk_write_bytes(const Snapshot *before, const Snapshot *now, Measure *ret) {
    return set_disk_rate((double)sum_disks(before, now).sectors_written * DISK_SECTOR_SIZE, before,
                         now, ret);
}

int measure_net_bytes_in(const Snapshot *before, const Snapshot *now, Measure *ret) {
    return set_rate((double)sum_interfaces(before, now).bytes_in,
                    snapshot_elapsed(before, now, SOURCE_INTERFACES), ret);
}

int measure_net_bytes_out(const Snapshot *before, const Snapshot *now, Measure *ret) {
    return set_rate((double)sum_interfaces(before, now).bytes_out,
                    snapshot_elapsed(before, now, SOURCE_INTERFACES), ret);
}

int measure_memory(const Snapshot *before, const Snapshot *now, Measure *ret) {
    const Memory *m = &now->memory;

    ret->values[0] = (double)m->total;
    ret->values[1] = (double)m->free;
    ret->values[2] = (double)m->available;
    ret->values[3] = (double)m->used;
    ret->values[4] = (double)m->cache;
    ret->values[5] = (double)m->swap_total;
    ret->values[6] = (double)m->swap_used;
    ret->values[7] = m->total > 0 ? 1 - (double)m->available / (double)m->total : NAN;
    return (now->have & SOURCE_MASK(SOURCE_MEMORY)) != 0;
}

int measure_load(const Snapshot *before, const Snapshot *now, Measure *ret) {
    for (size_t i = 0; i < ELEMENTSOF(now->load.averages); i++)
        ret->values[i] = now->load.averages[i];
    ret->values[3] = (double)now->load.n_runnable;
    ret->values[4] = (double)now->load.n_tasks;
    return (now->have & SOURCE_MASK(SOURCE_LOAD)) != 0;
}

int measure_agent(const Snapshot *before, const Snapshot *now, Measure *ret) {
    const Footprint *f = &now->footprint;
    double elapsed = snapshot_elapsed(before, now, SOURCE_FOOTPRINT);

    ret->values[0] = (double)f->cpu_usec / (double)USEC_PER_SEC;
    ret->values[1] = elapsed > 0 ? subtract(f->cpu_usec, before->footprint.cpu_usec) /
                                       (double)USEC_PER_SEC / elapsed
                                 : NAN;
    ret->values[2] = (double)f->resident_bytes;
    ret->values[3] = f->proportional_bytes > 0 ? (double)f->proportional_bytes : NAN;
    ret->values[4] = f->n_files;
    return (now->have & SOURCE_MASK(SOURCE_FOOTPRINT)) != 0;
}
