/* SPDX-License-Identifier: Apache-2.0 */
/* Rates are per second of CLOCK_MONOTONIC, in which the machine was awake. Counters stand still
 * during sleep, but the work around it (links come up, caches fill) belongs to no requested
 * interval, so such an interval has no rate. */
#include "health/snapshot.h"

#include <fcntl.h>

#include "basic/fd-util.h"
#include "basic/time-util.h"

#define SLEPT_USEC (50 * USEC_PER_MSEC)

enum {
    FILE_STAT,
    FILE_DISKSTATS,
    FILE_NET_DEV,
    FILE_MEMINFO,
    FILE_LOADAVG,
    FILE_PRESSURE,
    _FILE_MAX = FILE_PRESSURE + _PRESSURE_MAX,
};

static const char *const paths[_FILE_MAX] = {
    [FILE_STAT] = "proc/stat",
    [FILE_DISKSTATS] = "proc/diskstats",
    [FILE_NET_DEV] = "proc/net/dev",
    [FILE_MEMINFO] = "proc/meminfo",
    [FILE_LOADAVG] = "proc/loadavg",
    [FILE_PRESSURE + PRESSURE_CPU] = "proc/pressure/cpu",
    [FILE_PRESSURE + PRESSURE_MEMORY] = "proc/pressure/memory",
    [FILE_PRESSURE + PRESSURE_IO] = "proc/pressure/io",
};

struct Sources {
    char *root; /* without a trailing slash */
    int root_fd;
    ProcText text;
    ProcFile files[_FILE_MAX];
    MountList mounts;
    SensorTable sensors;
    MdArrayTable arrays;
    MissingMounts missing_mounts;
    SeriesStates backups;
    FootprintFiles footprint;
};

void snapshot_done(Snapshot *s) {
    disk_table_done(&s->disks);
    interface_table_done(&s->interfaces);
    *s = (Snapshot){};
}

double snapshot_elapsed(const Snapshot *before, const Snapshot *now, Source source) {
    const SourceTime *a = &before->times[source], *b = &now->times[source];
    uint64_t awake, all;

    if (!(before->have & now->have & SOURCE_MASK(source)))
        return 0;
    if (b->monotonic_usec <= a->monotonic_usec || b->boottime_usec < a->boottime_usec)
        return 0;
    awake = b->monotonic_usec - a->monotonic_usec;
    all = b->boottime_usec - a->boottime_usec;
    if (awake < now->interval_usec / 2 || all > awake + SLEPT_USEC)
        return 0;
    return (double)awake / (double)USEC_PER_SEC;
}

static int read_text(Sources *s, int file) {
    return proc_file_read(&s->files[file], s->root_fd, paths[file], &s->text);
}

static int read_cpu(Sources *s, const Snapshot *before, Snapshot *ret) {
    TRY(read_text(s, FILE_STAT));
    return cpu_times_parse(s->text.text, &ret->cpu);
}

static bool is_whole(const char *name, void *userdata) {
    const Sources *s = userdata;

    return disk_is_whole(s->root_fd, name);
}

static int read_disks(Sources *s, const Snapshot *before, Snapshot *ret) {
    TRY(read_text(s, FILE_DISKSTATS));
    return disk_table_parse(&ret->disks, s->text.text, &before->disks, is_whole, s);
}

static int read_interfaces(Sources *s, const Snapshot *before, Snapshot *ret) {
    TRY(read_text(s, FILE_NET_DEV));
    return interface_table_parse(&ret->interfaces, s->text.text);
}

static int read_memory(Sources *s, const Snapshot *before, Snapshot *ret) {
    TRY(read_text(s, FILE_MEMINFO));
    return memory_parse(s->text.text, &ret->memory);
}

static int read_load(Sources *s, const Snapshot *before, Snapshot *ret) {
    TRY(read_text(s, FILE_LOADAVG));
    return load_parse(s->text.text, &ret->load);
}

/* Kernels without PSI, or with psi=0, have none of the files; before 5.13 cpu has no "full". */
static int read_pressure(Sources *s, const Snapshot *before, Snapshot *ret) {
    int r = -ENOENT;

    for (int i = 0; i < _PRESSURE_MAX; i++) {
        ret->pressure[i] = (Pressure){};
        if (read_text(s, FILE_PRESSURE + i) >= 0 &&
            pressure_parse(s->text.text, &ret->pressure[i]) >= 0)
            r = 0;
    }
    return r;
}

static int read_file_systems(Sources *s, const Snapshot *before, Snapshot *ret) {
    ret->file_systems = &s->mounts.table;
    return mount_list_read(&s->mounts, s->root_fd, s->root, &s->text);
}

static int read_temperature(Sources *s, const Snapshot *before, Snapshot *ret) {
    ret->sensors = &s->sensors;
    return sensor_table_read(&s->sensors, s->root_fd, &s->text);
}

static int read_footprint(Sources *s, const Snapshot *before, Snapshot *ret) {
    return footprint_read(&s->footprint, s->root_fd, &s->text, &ret->footprint);
}

static int read_arrays(Sources *s, const Snapshot *before, Snapshot *ret) {
    ret->arrays = &s->arrays;
    return md_array_table_read(&s->arrays, s->root_fd);
}

static int read_missing_mounts(Sources *s, const Snapshot *before, Snapshot *ret) {
    ret->missing_mounts = &s->missing_mounts;
    return missing_mounts_read(&s->missing_mounts, s->root_fd);
}

static int read_backups(Sources *s, const Snapshot *before, Snapshot *ret) {
    series_states_done(&s->backups);
    ret->backups = &s->backups;
    return series_states_read(s->root_fd, &s->backups);
}

static int (*const readers[_SOURCE_MAX])(Sources *s, const Snapshot *before, Snapshot *ret) = {
    [SOURCE_CPU] = read_cpu,
    [SOURCE_DISKS] = read_disks,
    [SOURCE_INTERFACES] = read_interfaces,
    [SOURCE_MEMORY] = read_memory,
    [SOURCE_LOAD] = read_load,
    [SOURCE_PRESSURE] = read_pressure,
    [SOURCE_FILE_SYSTEMS] = read_file_systems,
    [SOURCE_TEMPERATURE] = read_temperature,
    [SOURCE_FOOTPRINT] = read_footprint,
    [SOURCE_ARRAYS] = read_arrays,
    [SOURCE_MISSING_MOUNTS] = read_missing_mounts,
    [SOURCE_BACKUPS] = read_backups,
};

void sources_read(Sources *s, unsigned mask, const Snapshot *before, Snapshot *ret) {
    for (Source i = 0; i < _SOURCE_MAX; i++) {
        if (!(mask & SOURCE_MASK(i)) || !readers[i])
            continue;
        ret->times[i].monotonic_usec = now_usec(CLOCK_MONOTONIC);
        ret->times[i].boottime_usec = now_usec(CLOCK_BOOTTIME);
        if (readers[i](s, before, ret) >= 0)
            ret->have |= SOURCE_MASK(i);
        else
            ret->have &= ~SOURCE_MASK(i);
    }
}

void sources_rest(Sources *s) {
    for (size_t i = 0; i < _FILE_MAX; i++)
        proc_file_close(&s->files[i]);
    mount_list_done(&s->mounts);
    sensor_table_done(&s->sensors);
    md_array_table_done(&s->arrays);
    missing_mounts_done(&s->missing_mounts);
    series_states_done(&s->backups);
    footprint_files_close(&s->footprint);
    proc_text_done(&s->text);
}

int sources_new(const char *root, Sources **ret) {
    _cleanup_(sources_freep) Sources *s = calloc(1, sizeof(*s));
    size_t size = strlen(root);

    if (!s)
        return -ENOMEM;
    s->root_fd = -1;
    s->mounts = MOUNT_LIST_INIT;
    s->footprint = FOOTPRINT_FILES_INIT;
    for (size_t i = 0; i < _FILE_MAX; i++)
        s->files[i] = PROC_FILE_INIT;
    while (size > 0 && root[size - 1] == '/')
        size--;
    s->root = strndup(root, size);
    if (!s->root)
        return -ENOMEM;
    s->root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (s->root_fd < 0)
        return -errno;
    *ret = TAKE_PTR(s);
    return 0;
}

Sources *sources_free(Sources *s) {
    if (!s)
        return NULL;
    sources_rest(s);
    (void)safe_close(s->root_fd);
    free(s->root);
    free(s);
    return NULL;
}
