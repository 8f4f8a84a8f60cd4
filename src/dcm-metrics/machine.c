/* SPDX-License-Identifier: Apache-2.0 */
/* Counters are exposed unchanged, because collectors compute the rates. */
#include "dcm-metrics/machine.h"

#include <math.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "health/snapshot.h"

#define USEC 1e-6
#define MSEC 1e-3
#define ALL_SOURCES                                                                                \
    ((SOURCE_MASK(_SOURCE_MAX) - 1) & ~SOURCE_MASK(SOURCE_UNITS) & ~SOURCE_MASK(SOURCE_FOOTPRINT))

static bool has(const Snapshot *s, Source source) {
    return s->have & SOURCE_MASK(source);
}

static void expose_cpu(Exposition *x, const Snapshot *s) {
    static const MetricFamily busy = {"dcm_cpu_busy_seconds", METRIC_COUNTER, "seconds",
                                      "Time in which processors had work, of all together."};
    static const MetricFamily all = {"dcm_cpu_seconds", METRIC_COUNTER, "seconds",
                                     "Time of all processors together."};
    double ticks = (double)sysconf(_SC_CLK_TCK);

    exposition_add_single(x, &busy, (double)s->cpu.busy / ticks);
    exposition_add_single(x, &all, (double)s->cpu.total / ticks);
}

static void expose_load(Exposition *x, const Snapshot *s) {
    static const MetricFamily averages[] = {
        {"dcm_load_average_1m", METRIC_GAUGE, NULL, "Load average of one minute."},
        {"dcm_load_average_5m", METRIC_GAUGE, NULL, "Load average of five minutes."},
        {"dcm_load_average_15m", METRIC_GAUGE, NULL, "Load average of fifteen minutes."},
    };
    static const MetricFamily runnable = {"dcm_tasks_runnable", METRIC_GAUGE, NULL,
                                          "Tasks that run or could."};
    static const MetricFamily tasks = {"dcm_tasks", METRIC_GAUGE, NULL,
                                       "All tasks, threads counted."};

    for (size_t i = 0; i < ELEMENTSOF(averages); i++)
        exposition_add_single(x, &averages[i], s->load.averages[i]);
    exposition_add_single(x, &runnable, (double)s->load.n_runnable);
    exposition_add_single(x, &tasks, (double)s->load.n_tasks);
}

static void expose_memory(Exposition *x, const Snapshot *s) {
    const struct {
        MetricFamily family;
        uint64_t value;
    } values[] = {
        {{"dcm_memory_size_bytes", METRIC_GAUGE, "bytes", "Memory that the kernel can use."},
         s->memory.total},
        {{"dcm_memory_free_bytes", METRIC_GAUGE, "bytes", "Memory that is not used at all."},
         s->memory.free},
        {{"dcm_memory_available_bytes", METRIC_GAUGE, "bytes",
          "Memory that is available without swapping."},
         s->memory.available},
        {{"dcm_memory_used_bytes", METRIC_GAUGE, "bytes", "Memory that is neither free nor cache."},
         s->memory.used},
        {{"dcm_memory_cache_bytes", METRIC_GAUGE, "bytes",
          "Buffers, page cache and slabs that can be reclaimed."},
         s->memory.cache},
        {{"dcm_swap_size_bytes", METRIC_GAUGE, "bytes", "Swap space."}, s->memory.swap_total},
        {{"dcm_swap_used_bytes", METRIC_GAUGE, "bytes", "Swap space in use."}, s->memory.swap_used},
    };

    for (size_t i = 0; i < ELEMENTSOF(values); i++)
        exposition_add_single(x, &values[i].family, (double)values[i].value);
}

/* --- one sample for each of several things ------------------------------------------------------
 */

typedef struct Column {
    MetricFamily family;
    size_t offset; /* of a uint64_t in the item */
    double scale;
} Column;

typedef struct Things {
    const void *first;
    size_t n, size;
    const char *label;
    /* a result of NULL leaves the item out */
    const char *(*name)(const void *thing);
} Things;

static void expose_columns(Exposition *x, const Things *t, const Column *columns, size_t n) {
    for (size_t c = 0; c < n; c++) {
        exposition_begin(x, &columns[c].family);
        for (size_t i = 0; i < t->n; i++) {
            const char *thing = (const char *)t->first + i * t->size, *name = t->name(thing);
            uint64_t value;

            if (!name)
                continue;
            (void)memcpy(&value, thing + columns[c].offset, sizeof(value));
            exposition_add(x, (const char *const[]){t->label, name, NULL},
                           (double)value * columns[c].scale);
        }
    }
}

static const char *disk_name(const void *thing) {
    const Disk *d = thing;

    return d->is_whole ? d->name : NULL;
}

static void expose_disks(Exposition *x, const Snapshot *s) {
    static const Column columns[] = {
        {{"dcm_disk_read_bytes", METRIC_COUNTER, "bytes", "Read from the disk."},
         offsetof(Disk, sectors_read),
         DISK_SECTOR_SIZE},
        {{"dcm_disk_written_bytes", METRIC_COUNTER, "bytes", "Written to the disk."},
         offsetof(Disk, sectors_written),
         DISK_SECTOR_SIZE},
        {{"dcm_disk_reads", METRIC_COUNTER, NULL, "Reads that are done."},
         offsetof(Disk, reads),
         1},
        {{"dcm_disk_writes", METRIC_COUNTER, NULL, "Writes that are done."},
         offsetof(Disk, writes),
         1},
        {{"dcm_disk_read_time_seconds", METRIC_COUNTER, "seconds",
          "Time that reads took, waiting counted."},
         offsetof(Disk, read_msec),
         MSEC},
        {{"dcm_disk_write_time_seconds", METRIC_COUNTER, "seconds",
          "Time that writes took, waiting counted."},
         offsetof(Disk, write_msec),
         MSEC},
        {{"dcm_disk_busy_seconds", METRIC_COUNTER, "seconds", "Time in which the disk was busy."},
         offsetof(Disk, busy_msec),
         MSEC},
    };

    expose_columns(x,
                   &(const Things){
                       .first = s->disks.disks,
                       .n = s->disks.n,
                       .size = sizeof(Disk),
                       .label = "disk",
                       .name = disk_name,
                   },
                   columns, ELEMENTSOF(columns));
}

static const char *interface_name(const void *thing) {
    return ((const Interface *)thing)->name;
}

static void expose_interfaces(Exposition *x, const Snapshot *s) {
    static const Column columns[] = {
        {{"dcm_network_received_bytes", METRIC_COUNTER, "bytes", "Received."},
         offsetof(Interface, bytes_in),
         1},
        {{"dcm_network_sent_bytes", METRIC_COUNTER, "bytes", "Sent."},
         offsetof(Interface, bytes_out),
         1},
        {{"dcm_network_received_packets", METRIC_COUNTER, "packets", "Received."},
         offsetof(Interface, packets_in),
         1},
        {{"dcm_network_sent_packets", METRIC_COUNTER, "packets", "Sent."},
         offsetof(Interface, packets_out),
         1},
        {{"dcm_network_receive_errors", METRIC_COUNTER, NULL, "Received with errors."},
         offsetof(Interface, errors_in),
         1},
        {{"dcm_network_send_errors", METRIC_COUNTER, NULL, "That could not be sent."},
         offsetof(Interface, errors_out),
         1},
        {{"dcm_network_receive_drops", METRIC_COUNTER, NULL, "Received, and dropped."},
         offsetof(Interface, drops_in),
         1},
        {{"dcm_network_send_drops", METRIC_COUNTER, NULL, "Dropped before they were sent."},
         offsetof(Interface, drops_out),
         1},
    };

    expose_columns(x,
                   &(const Things){
                       .first = s->interfaces.interfaces,
                       .n = s->interfaces.n,
                       .size = sizeof(Interface),
                       .label = "interface",
                       .name = interface_name,
                   },
                   columns, ELEMENTSOF(columns));
}

static const char *file_system_name(const void *thing) {
    const FileSystem *f = thing;

    return f->is_known ? f->mount_point : NULL;
}

static void expose_file_systems(Exposition *x, const Snapshot *s) {
    static const Column columns[] = {
        {{"dcm_filesystem_size_bytes", METRIC_GAUGE, "bytes", "Of the file system."},
         offsetof(FileSystem, size),
         1},
        {{"dcm_filesystem_used_bytes", METRIC_GAUGE, "bytes", "In use."},
         offsetof(FileSystem, used),
         1},
        {{"dcm_filesystem_available_bytes", METRIC_GAUGE, "bytes",
          "Left for users that are not root."},
         offsetof(FileSystem, available),
         1},
        {{"dcm_filesystem_inodes", METRIC_GAUGE, NULL,
          "Files that it can have; 0: there is no limit."},
         offsetof(FileSystem, n_inodes),
         1},
        {{"dcm_filesystem_inodes_used", METRIC_GAUGE, NULL, "Files that it has."},
         offsetof(FileSystem, n_inodes_used),
         1},
    };

    expose_columns(x,
                   &(const Things){
                       .first = s->file_systems->systems,
                       .n = s->file_systems->n,
                       .size = sizeof(FileSystem),
                       .label = "mountpoint",
                       .name = file_system_name,
                   },
                   columns, ELEMENTSOF(columns));
}

static void expose_pressure(Exposition *x, const Snapshot *s) {
    static const MetricFamily family = {"dcm_pressure_waiting_seconds", METRIC_COUNTER, "seconds",
                                        "Time in which some task, or all of them, waited."};
    static const char *const resources[_PRESSURE_MAX] = {
        [PRESSURE_CPU] = "cpu",
        [PRESSURE_MEMORY] = "memory",
        [PRESSURE_IO] = "io",
    };

    exposition_begin(x, &family);
    for (size_t i = 0; i < _PRESSURE_MAX; i++) {
        const PressureLine *lines[] = {&s->pressure[i].some, &s->pressure[i].full};

        for (size_t k = 0; k < ELEMENTSOF(lines); k++)
            if (lines[k]->is_known)
                exposition_add(x,
                               (const char *const[]){"resource", resources[i], "tasks",
                                                     k == 0 ? "some" : "all", NULL},
                               (double)lines[k]->total_usec * USEC);
    }
}

static void expose_temperature(Exposition *x, const Snapshot *s) {
    static const MetricFamily family = {"dcm_temperature_celsius", METRIC_GAUGE, "celsius",
                                        "Value of the sensor."};

    exposition_begin(x, &family);
    for (size_t i = 0; i < s->sensors->n; i++)
        if (s->sensors->sensors[i].is_known)
            exposition_add(x, (const char *const[]){"sensor", s->sensors->sensors[i].name, NULL},
                           s->sensors->sensors[i].celsius);
}

static void expose_arrays(Exposition *x, const Snapshot *s) {
    static const MetricFamily missing = {"dcm_array_missing_disks", METRIC_GAUGE, NULL,
                                         "Disks that the array lacks."};
    static const MetricFamily stopped = {"dcm_array_stopped", METRIC_GAUGE, NULL,
                                         "1: it was not started, because disks are missing."};

    exposition_begin(x, &missing);
    for (size_t i = 0; i < s->arrays->n; i++)
        exposition_add(x, (const char *const[]){"array", s->arrays->arrays[i].name, NULL},
                       (double)s->arrays->arrays[i].n_missing);
    exposition_begin(x, &stopped);
    for (size_t i = 0; i < s->arrays->n; i++)
        exposition_add(x, (const char *const[]){"array", s->arrays->arrays[i].name, NULL},
                       s->arrays->arrays[i].is_started ? 0 : 1);
}

static void expose_missing_mounts(Exposition *x, const Snapshot *s) {
    static const MetricFamily family = {"dcm_missing_mounts", METRIC_GAUGE, NULL,
                                        "File systems of fstab that are not mounted."};

    exposition_add_single(x, &family, (double)s->missing_mounts->n);
}

int machine_expose(Exposition *x, const char *root) {
    static const struct {
        Source source;
        void (*expose)(Exposition *x, const Snapshot *s);
    } all[] = {
        {SOURCE_CPU, expose_cpu},
        {SOURCE_LOAD, expose_load},
        {SOURCE_MEMORY, expose_memory},
        {SOURCE_DISKS, expose_disks},
        {SOURCE_INTERFACES, expose_interfaces},
        {SOURCE_FILE_SYSTEMS, expose_file_systems},
        {SOURCE_PRESSURE, expose_pressure},
        {SOURCE_TEMPERATURE, expose_temperature},
        {SOURCE_ARRAYS, expose_arrays},
        {SOURCE_MISSING_MOUNTS, expose_missing_mounts},
    };
    _cleanup_(snapshot_done) Snapshot s = {};
    const Snapshot none = {};
    _cleanup_(sources_freep) Sources *sources = NULL;

    TRY(sources_new(root, &sources));
    sources_read(sources, ALL_SOURCES, &none, &s);
    for (size_t i = 0; i < ELEMENTSOF(all); i++)
        if (has(&s, all[i].source))
            all[i].expose(x, &s);
    return 0;
}
