/* SPDX-License-Identifier: Apache-2.0 */
#include "health/stat-type.h"

#include "health/measure-rows.h"

#define FIELDS(table) .fields = (table), .n_fields = ELEMENTSOF(table)
#define ROWS(key, table) .rows = (key), .row_fields = (table), .n_row_fields = ELEMENTSOF(table)

/* the types of the Python agent */

static const StatField cpu_idle_fields[] = {
    {"cpu-idle", "share", 6, "time in which no processor had work"},
};

static const StatField system_fields[] = {
    {"cpu-load", "share", 6, "time in which processors had work"},
    {"disk-read-ops", "1", -1, "reads of all disks since the boot"},
    {"disk-write-ops", "1", -1, "writes of all disks since the boot"},
    {"disk-read-bytes", "bytes", -1, "read from all disks since the boot"},
    {"disk-write-bytes", "bytes", -1, "written to all disks since the boot"},
    {"net-bytes-in", "bytes", -1, "received by all interfaces since the boot"},
    {"net-bytes-out", "bytes", -1, "sent by all interfaces since the boot"},
};

static const StatField disk_read_ops_fields[] = {
    {"disk-read-ops", "1/s", 3, "reads of all disks"},
};

static const StatField disk_write_ops_fields[] = {
    {"disk-write-ops", "1/s", 3, "writes of all disks"},
};

static const StatField disk_read_bytes_fields[] = {
    {"disk-read-bytes", "bytes/s", 3, "read from all disks"},
};

static const StatField disk_write_bytes_fields[] = {
    {"disk-write-bytes", "bytes/s", 3, "written to all disks"},
};

static const StatField net_bytes_in_fields[] = {
    {"net-bytes-in", "bytes/s", 3, "received by all interfaces"},
};

static const StatField net_bytes_out_fields[] = {
    {"net-bytes-out", "bytes/s", 3, "sent by all interfaces"},
};

/* new types */

static const StatField memory_fields[] = {
    {"total", "bytes", -1, "that the kernel can use"},
    {"free", "bytes", -1, "not used at all"},
    {"available", "bytes", -1, "available without swapping"},
    {"used", "bytes", -1, "neither free nor cache"},
    {"cache", "bytes", -1, "buffers, page cache, reclaimable slabs"},
    {"swap-total", "bytes", -1, "swap space"},
    {"swap-used", "bytes", -1, "swap space in use"},
    {"use", "share", 6, "of all that is not available"},
};

static const StatField load_fields[] = {
    {"load-1", "1", 2, "load average of one minute"},
    {"load-5", "1", 2, "of five minutes"},
    {"load-15", "1", 2, "of fifteen minutes"},
    {"runnable", "1", -1, "tasks that run or wait for a processor"},
    {"tasks", "1", -1, "all tasks, threads counted"},
};

static const StatField file_system_fields[] = {
    {"size", "bytes", -1, "of the file system"},
    {"used", "bytes", -1, "in use"},
    {"available", "bytes", -1, "left for users that are not root"},
    {"inodes", "1", -1, "files it can have; absent where there is no limit"},
    {"inodes-used", "1", -1, "files it has"},
    {"use", "share", 6, "used of used and available, as df counts"},
    {"inodes-use", "share", 6, "of the files it can have"},
};

static const StatField pressure_fields[] = {
    {"some-avg10", "percent", 2, "time in which a task waited, of 10 s"},
    {"some-avg60", "percent", 2, "of a minute"},
    {"some-avg300", "percent", 2, "of five minutes"},
    {"some-total", "us", -1, "since the boot"},
    {"full-avg10", "percent", 2, "time in which all tasks waited, of 10 s"},
    {"full-avg60", "percent", 2, "of a minute"},
    {"full-avg300", "percent", 2, "of five minutes"},
    {"full-total", "us", -1, "since the boot"},
};

static const StatField disk_fields[] = {
    {"read-ops", "1/s", 3, "reads"},
    {"write-ops", "1/s", 3, "writes"},
    {"read-bytes", "bytes/s", 3, "read"},
    {"write-bytes", "bytes/s", 3, "written"},
    {"read-latency", "ms", 3, "average time of a read; 0 without any"},
    {"write-latency", "ms", 3, "average time of a write"},
    {"utilisation", "share", 6, "time in which it was busy"},
    {"in-flight", "1", -1, "requests at the moment"},
};

static const StatField interface_fields[] = {
    {"bytes-in", "bytes/s", 3, "received"},
    {"bytes-out", "bytes/s", 3, "sent"},
    {"packets-in", "1/s", 3, "received"},
    {"packets-out", "1/s", 3, "sent"},
    {"errors-in", "1/s", 3, "received with errors"},
    {"errors-out", "1/s", 3, "that could not be sent"},
    {"drops-in", "1/s", 3, "received, then dropped"},
    {"drops-out", "1/s", 3, "dropped before they were sent"},
};

static const StatField temperature_fields[] = {
    {"celsius", "C", 3, "degrees Celsius"},
};

static const StatField unit_fields[] = {
    {"failed", "1", -1, "units that systemd calls failed"},
};

static const StatField array_fields[] = {
    {"disks", "1", -1, "that it has when it is whole"},
    {"missing", "1", -1, "disks that it lacks"},
    {"stopped", "1", -1, "1: it was not started, because disks are missing"},
    {"synced", "share", 6, "of a resync or a rebuild that is done; absent if none runs"},
};

static const StatField mount_fields[] = {
    {"missing", "1", -1, "file systems of fstab(5) that are not mounted"},
};

static const StatField backup_fields[] = {
    {"age", "s", -1, "since the newest complete backup began; absent if there is none"},
    {"size", "bytes", -1, "of that backup"},
    {"failed", "1", -1, "1: the last backup failed"},
    {"overdue", "1", -1, "1: the schedule's last time has passed by more than an hour without one"},
};

static const StatField agent_fields[] = {
    {"cpu-time", "s", 6, "processor time since the agent was started"},
    {"cpu", "share", 6, "of one processor"},
    {"rss", "bytes", -1, "memory, shared pages counted in full"},
    {"pss", "bytes", -1, "memory, shared pages counted by their part"},
    {"open-files", "1", -1, "descriptors"},
};

static const StatType types[] = {
    {
        .name = "cpu-idle",
        .reply_type = "cpu_idle_stat_array",
        .sources = SOURCE_MASK(SOURCE_CPU),
        FIELDS(cpu_idle_fields),
        .measure = measure_cpu_idle,
    },
    {
        .name = "system-stats",
        .reply_type = "system_info_stat_array",
        .sources =
            SOURCE_MASK(SOURCE_CPU) | SOURCE_MASK(SOURCE_DISKS) | SOURCE_MASK(SOURCE_INTERFACES),
        FIELDS(system_fields),
        .measure = measure_system,
    },
    {
        .name = "disk-read-ops",
        .reply_type = "disk_read_ops_stat_array",
        .sources = SOURCE_MASK(SOURCE_DISKS),
        FIELDS(disk_read_ops_fields),
        .measure = measure_disk_read_ops,
    },
    {
        .name = "disk-write-ops",
        .reply_type = "disk_write_ops_stat_array",
        .sources = SOURCE_MASK(SOURCE_DISKS),
        FIELDS(disk_write_ops_fields),
        .measure = measure_disk_write_ops,
    },
    {
        .name = "disk-read-bytes",
        .reply_type = "disk_read_bytes_stat_array",
        .sources = SOURCE_MASK(SOURCE_DISKS),
        FIELDS(disk_read_bytes_fields),
        .measure = measure_disk_read_bytes,
    },
    {
        .name = "disk-write-bytes",
        .reply_type = "disk_write_bytes_stat_array",
        .sources = SOURCE_MASK(SOURCE_DISKS),
        FIELDS(disk_write_bytes_fields),
        .measure = measure_disk_write_bytes,
    },
    {
        .name = "net-bytes-in",
        .reply_type = "net_bytes_in_stat_array",
        .sources = SOURCE_MASK(SOURCE_INTERFACES),
        FIELDS(net_bytes_in_fields),
        .measure = measure_net_bytes_in,
    },
    {
        .name = "net-bytes-out",
        .reply_type = "net_bytes_out_stat_array",
        .sources = SOURCE_MASK(SOURCE_INTERFACES),
        FIELDS(net_bytes_out_fields),
        .measure = measure_net_bytes_out,
    },
    {
        .name = "memory",
        .reply_type = "memory_stat_array",
        .sources = SOURCE_MASK(SOURCE_MEMORY),
        FIELDS(memory_fields),
        .measure = measure_memory,
    },
    {
        .name = "load",
        .reply_type = "load_stat_array",
        .sources = SOURCE_MASK(SOURCE_LOAD),
        FIELDS(load_fields),
        .measure = measure_load,
    },
    {
        .name = "filesystems",
        .reply_type = "filesystems_stat_array",
        .sources = SOURCE_MASK(SOURCE_FILE_SYSTEMS),
        ROWS("filesystems", file_system_fields),
        .measure = measure_file_systems,
    },
    {
        .name = "pressure",
        .reply_type = "pressure_stat_array",
        .sources = SOURCE_MASK(SOURCE_PRESSURE),
        ROWS("resources", pressure_fields),
        .measure = measure_pressure,
    },
    {
        .name = "disks",
        .reply_type = "disks_stat_array",
        .sources = SOURCE_MASK(SOURCE_DISKS),
        ROWS("disks", disk_fields),
        .measure = measure_disks,
    },
    {
        .name = "interfaces",
        .reply_type = "interfaces_stat_array",
        .sources = SOURCE_MASK(SOURCE_INTERFACES),
        ROWS("interfaces", interface_fields),
        .measure = measure_interfaces,
    },
    {
        .name = "temperature",
        .reply_type = "temperature_stat_array",
        .sources = SOURCE_MASK(SOURCE_TEMPERATURE),
        ROWS("sensors", temperature_fields),
        .measure = measure_temperature,
    },
    {
        .name = "units",
        .reply_type = "units_stat_array",
        .sources = SOURCE_MASK(SOURCE_UNITS),
        FIELDS(unit_fields),
        .rows = "failed-units",
        .measure = measure_units,
    },
    {
        .name = "agent",
        .reply_type = "agent_stat_array",
        .sources = SOURCE_MASK(SOURCE_FOOTPRINT),
        FIELDS(agent_fields),
        .measure = measure_agent,
    },
    {
        .name = "arrays",
        .reply_type = "arrays_stat_array",
        .sources = SOURCE_MASK(SOURCE_ARRAYS),
        ROWS("arrays", array_fields),
        .measure = measure_arrays,
    },
    {
        .name = "mounts",
        .reply_type = "mounts_stat_array",
        .sources = SOURCE_MASK(SOURCE_MISSING_MOUNTS),
        FIELDS(mount_fields),
        .rows = "missing-mounts",
        .measure = measure_missing_mounts,
    },
    {
        .name = "backups",
        .reply_type = "backups_stat_array",
        .sources = SOURCE_MASK(SOURCE_BACKUPS),
        ROWS("backups", backup_fields),
        .measure = measure_backups,
    },
    {
        .name = "system-overview",
        .reply_type = "system_overview",
        .sources = SOURCE_MASK(_SOURCE_MAX) - 1,
    },
};

/* The components of the overview. */
static const char *const overview[] = {
    "system-stats", "memory",     "load",        "filesystems", "pressure",
    "disks",        "interfaces", "temperature", "units",       "agent",
};

const StatType *stat_type_table(size_t *ret_n) {
    *ret_n = ELEMENTSOF(types);
    return types;
}

const StatType *stat_type_find(const char *name) {
    for (size_t i = 0; i < ELEMENTSOF(types); i++)
        if (streq(types[i].name, name))
            return &types[i];
    return NULL;
}

size_t stat_type_components(const StatType *t, const StatType *ret[static STAT_COMPONENTS_MAX]) {
    static_assert(ELEMENTSOF(overview) <= STAT_COMPONENTS_MAX, "room for all");

    if (t->measure) {
        ret[0] = t;
        return 1;
    }
    for (size_t i = 0; i < ELEMENTSOF(overview); i++)
        ret[i] = stat_type_find(overview[i]);
    return ELEMENTSOF(overview);
}
