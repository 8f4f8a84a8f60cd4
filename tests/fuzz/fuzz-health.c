/* SPDX-License-Identifier: Apache-2.0 */
/* Files of proc(5) and sysfs(5), and what is made of two readings of them. The input is one file,
 * read as each of them. */
#include <math.h>

#include "fuzz.h"
#include "health/counter.h"
#include "health/sample.h"

static bool is_whole(const char *name, void *userdata) {
    CHECK(strlen(name) < DISK_NAME_SIZE);
    return true;
}

static void check(const char *type, const Snapshot *before, const Snapshot *now) {
    _cleanup_(measure_done) Measure m = {};
    _cleanup_(sample_freep) Sample *s = NULL;
    _cleanup_json_ struct json_object *o = NULL, *again = NULL;
    const StatType *t = stat_type_find(type);
    const char *text;
    size_t size;

    CHECK(t);
    if (t->measure(before, now, &m) == 0)
        return;
    for (size_t i = 0; i < t->n_fields; i++)
        CHECK(isnan(m.values[i]) || m.values[i] >= 0);
    for (size_t i = 0; i < m.n_rows; i++)
        for (size_t j = 0; j < t->n_row_fields; j++)
            CHECK(isnan(m.rows[i].values[j]) || m.rows[i].values[j] >= 0);
    CHECK(sample_new(t, &m, 1, &s) == 0 && sample_to_json(s, t, &o) == 0);
    text = json_to_text(o, &size);
    CHECK(text && json_parse(text, size, &again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const types[] = {
        "cpu-idle",         "system-stats", "disk-read-ops", "disk-write-ops", "disk-read-bytes",
        "disk-write-bytes", "net-bytes-in", "net-bytes-out", "memory",         "load",
        "pressure",         "disks",        "interfaces",
    };
    _cleanup_free_ char *text = fuzz_text(data, size);
    _cleanup_(snapshot_done) Snapshot before = {}, now = {};
    _cleanup_(file_system_table_done) FileSystemTable systems = {};
    const char *second = memmem(text, size, "\n\n", 2);
    double celsius;
    uint64_t n;

    /* an empty line parts two readings */
    before.have = now.have = SOURCE_MASK(SOURCE_UNITS) - 1;
    for (Source i = 0; i < _SOURCE_MAX; i++)
        now.times[i].monotonic_usec = now.times[i].boottime_usec = 1000000;
    CHECK(disk_table_parse(&before.disks, text, &now.disks, is_whole, NULL) == 0);
    CHECK(disk_table_parse(&now.disks, second ?: text, &before.disks, is_whole, NULL) == 0);
    CHECK(interface_table_parse(&before.interfaces, text) == 0);
    CHECK(interface_table_parse(&now.interfaces, second ?: text) == 0);
    (void)cpu_times_parse(text, &before.cpu);
    (void)cpu_times_parse(second ? second + 2 : text, &now.cpu);
    if (memory_parse(text, &now.memory) == 0)
        CHECK(now.memory.used + now.memory.free + now.memory.cache == now.memory.total &&
              now.memory.available <= now.memory.total &&
              now.memory.swap_used <= now.memory.swap_total);
    (void)load_parse(text, &now.load);
    for (size_t i = 0; i < _PRESSURE_MAX; i++)
        (void)pressure_parse(text, &now.pressure[i]);
    for (size_t i = 0; i < ELEMENTSOF(types); i++)
        check(types[i], &before, &now);

    CHECK(file_system_table_parse(&systems, text) == 0);
    for (size_t i = 0; i < systems.n; i++)
        CHECK(systems.systems[i].mount_point[0] == '/');
    if (temperature_parse(text, &celsius) == 0)
        CHECK(celsius >= -273.15 && celsius <= 10000);
    (void)resident_pages_parse(text, &n);
    (void)proportional_parse(text, &n);
    return 0;
}
