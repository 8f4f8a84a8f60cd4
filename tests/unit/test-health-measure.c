/* SPDX-License-Identifier: Apache-2.0 */
/* Proves what the types make of two readings of a synthetic proc and sys: sums over whole disks,
 * counters that wrap, devices that come and go, rates by the time that the machine was awake, and
 * no rate at all over a sleep. */
#include <math.h>

#include "basic/tab-mark.h"
#include "basic/time-util.h"
#include "health/sample.h"
#include "proc-tree.h"

typedef struct Tree {
    char *root;
    Sources *sources;
    Snapshot snapshots[2];
    unsigned current;
    uint64_t awake_usec, slept_usec;
} Tree;

static void tree_done(Tree *t) {
    snapshot_done(&t->snapshots[0]);
    snapshot_done(&t->snapshots[1]);
    sources_free(t->sources);
    temporary_remove(&t->root);
}
#define _cleanup_tree_ _cleanup_(tree_done)

static void tree_init(Tree *t) {
    t->root = temporary_new();
    g_assert_cmpint(sources_new(t->root, &t->sources), ==, 0);
    t->awake_usec = 5 * USEC_PER_SEC;
}

/* A reading at a moment of our choice. */
static void take(Tree *t) {
    Snapshot *now, *before = &t->snapshots[t->current];

    t->current = !t->current;
    now = &t->snapshots[t->current];
    now->have = 0;
    now->interval_usec = USEC_PER_SEC;
    now->realtime_usec = 90 * USEC_PER_SEC;
    sources_read(t->sources, SOURCE_MASK(SOURCE_UNITS) - 1, before, now);
    for (Source i = 0; i < _SOURCE_MAX; i++)
        now->times[i] = (SourceTime){.monotonic_usec = t->awake_usec,
                                     .boottime_usec = t->awake_usec + t->slept_usec};
}

static int measure(Tree *t, const char *type, Measure *m) {
    const StatType *s = stat_type_find(type);

    g_assert_nonnull(s);
    m->n_rows = 0;
    return s->measure(&t->snapshots[!t->current], &t->snapshots[t->current], m);
}

static double measure_one(Tree *t, const char *type) {
    _cleanup_(measure_done) Measure m = {};
    int r = measure(t, type, &m);

    g_assert_cmpint(r, >=, 0);
    return r > 0 ? m.values[0] : NAN;
}

static const MeasureRow *find_row(const Measure *m, const char *name) {
    for (size_t i = 0; i < m->n_rows; i++)
        if (streq(m->rows[i].name, name))
            return &m->rows[i];
    return NULL;
}

static void test_cpu(void) {
    static const struct {
        const char *before, *after;
        double idle; /* NAN: no sample */
    } cases[] = {
        {"cpu 0 0 0 0 0 0 0 0\n", "cpu 25 0 0 75 0 0 0 0\n", 0.75},
        {"cpu 0 0 0 0 0 0 0 0\n", "cpu 10 10 10 20 30 10 5 5\n", 0.5}, /* waiting is idle */
        {"cpu 5 5 5 5 5 5 5 5\n", "cpu 15 5 5 5 5 5 5 5\n", 0},
        {"cpu 5 5 5 5\n", "cpu 5 5 5 9\n", 1},
        {"cpu 5 5 5 5\n", "cpu 5 5 5 5\n", NAN},
        {"cpu 5 5 5 5 9\n", "cpu 6 5 5 5 1\n", 0}, /* iowait goes back at times */
        {"cpu 9 9 9 9\n", "cpu 1 1 1 1\n", NAN},
        {"cpu 5 5 5 5\n", "cpu 5\n", NAN},
        {"", "cpu 5 5 5 9\n", NAN},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_tree_ Tree t = {};
        double idle;

        tree_init(&t);
        tree_write(t.root, "proc/stat", cases[i].before);
        take(&t);
        g_assert_true(isnan(measure_one(&t, "cpu-idle"))); /* one reading is not enough */
        tree_write(t.root, "proc/stat", cases[i].after);
        t.awake_usec += USEC_PER_SEC;
        take(&t);
        idle = measure_one(&t, "cpu-idle");
        g_assert_cmpint(isnan(idle), ==, isnan(cases[i].idle));
        if (!isnan(idle))
            g_assert_cmpfloat_with_epsilon(idle, cases[i].idle, 1e-9);
    }
}

static void write_disks(const Tree *t, const char *text) {
    tree_write(t->root, "proc/diskstats", text);
}

/* A partition, a mapping on the disk and what is in memory are not counted; a disk that is new
 * counts from its second reading on. */
static void test_disk_sums(void) {
    _cleanup_tree_ Tree t = {};

    tree_init(&t);
    tree_add_disk(t.root, "sda", true);
    tree_add_disk(t.root, "sdb", true);
    tree_add_disk(t.root, "dm-0", false);
    tree_add_disk(t.root, "loop0", false);
    write_disks(&t, "8 0 sda 10 0 100 0 20 0 200 0 0 0 0\n8 1 sda1 10 0 100 0 20 0 200 0 0 0 0\n"
                    "253 0 dm-0 10 0 100 0 20 0 200 0 0 0 0\n");
    take(&t);
    write_disks(&t, "8 0 sda 30 0 300 0 60 0 600 0 0 0 0\n8 1 sda1 30 0 300 0 60 0 600 0 0 0 0\n"
                    "8 16 sdb 1000 0 1000 0 1000 0 1000 0 0 0 0\n"
                    "253 0 dm-0 30 0 300 0 60 0 600 0 0 0 0\n7 0 loop0 9 0 9 0 9 0 9 0 0 0 0\n");
    t.awake_usec += 2 * USEC_PER_SEC;
    take(&t);
    g_assert_cmpfloat(measure_one(&t, "disk-read-ops"), ==, 10);
    g_assert_cmpfloat(measure_one(&t, "disk-write-ops"), ==, 20);
    g_assert_cmpfloat(measure_one(&t, "disk-read-bytes"), ==, 100 * 512);
    g_assert_cmpfloat(measure_one(&t, "disk-write-bytes"), ==, 200 * 512);

    /* sda is gone, sdb has wrapped: no negative rate, no huge one */
    write_disks(&t, "8 16 sdb 1004 0 1008 0 1012 0 1016 0 0 0 0\n");
    t.awake_usec += USEC_PER_SEC;
    take(&t);
    g_assert_cmpfloat(measure_one(&t, "disk-read-ops"), ==, 4);
    g_assert_cmpfloat(measure_one(&t, "disk-write-bytes"), ==, 16 * 512);
    write_disks(&t, "8 16 sdb 4294967290 0 18446744073709551615 0 0 0 0 0 0 0 0\n");
    t.awake_usec += USEC_PER_SEC;
    take(&t);
    write_disks(&t, "8 16 sdb 4 0 9 0 0 0 0 0 0 0 0\n");
    t.awake_usec += USEC_PER_SEC;
    take(&t);
    g_assert_cmpfloat(measure_one(&t, "disk-read-ops"), ==, 10);
    g_assert_cmpfloat(measure_one(&t, "disk-read-bytes"), ==, 10 * 512);

    /* pulled out and put in again: the same name, another number */
    write_disks(&t, "8 32 sdb 5000 0 5000 0 0 0 0 0 0 0 0\n");
    t.awake_usec += USEC_PER_SEC;
    take(&t);
    g_assert_cmpfloat(measure_one(&t, "disk-read-ops"), ==, 0);

    write_disks(&t, "");
    t.awake_usec += USEC_PER_SEC;
    take(&t);
    g_assert_cmpfloat(measure_one(&t, "disk-read-ops"), ==, 0);
    tree_remove(t.root, "proc/diskstats");
    sources_rest(t.sources);
    take(&t);
    g_assert_true(isnan(measure_one(&t, "disk-read-ops")));
}

static void write_interfaces(const Tree *t, const char *name, uint64_t in, uint64_t out) {
    g_autofree char *text = g_strdup_printf("a | b\nlo: 1000 0 0 0 0 0 0 0 1000 0 0 0 0 0 0 0\n"
                                            "%s: %" G_GUINT64_FORMAT
                                            " 1 2 3 0 0 0 0 %" G_GUINT64_FORMAT " 4 5 6 0 0 0 0\n",
                                            name, in, out);

    tree_write(t->root, "proc/net/dev", text);
}

static void test_interface_sums(void) {
    _cleanup_tree_ Tree t = {};

    tree_init(&t);
    write_interfaces(&t, "eth0", 500, 700);
    take(&t);
    write_interfaces(&t, "eth0", 1500, 2700);
    t.awake_usec += USEC_PER_SEC;
    take(&t);
    g_assert_cmpfloat(measure_one(&t, "net-bytes-in"), ==, 1000);
    g_assert_cmpfloat(measure_one(&t, "net-bytes-out"), ==, 2000);
    write_interfaces(&t, "eth1", UINT64_MAX, 900000); /* another one */
    t.awake_usec += USEC_PER_SEC;
    take(&t);
    g_assert_cmpfloat(measure_one(&t, "net-bytes-in"), ==, 0);
    write_interfaces(&t, "eth1", 99, 900000);
    t.awake_usec += USEC_PER_SEC;
    take(&t);
    g_assert_cmpfloat(measure_one(&t, "net-bytes-in"), ==, 100);
    g_assert_cmpfloat(measure_one(&t, "net-bytes-out"), ==, 0);
    write_interfaces(&t, "eth1", 5, 7); /* made anew */
    t.awake_usec += USEC_PER_SEC;
    take(&t);
    g_assert_cmpfloat(measure_one(&t, "net-bytes-in"), ==, 0);
    g_assert_cmpfloat(measure_one(&t, "net-bytes-out"), ==, 0);
}

/* The rate is of the time that the machine was awake; over a sleep there is none, and after it it
 * is right at once. Nor is there one of an interval that was cut short. */
static void test_time(void) {
    _cleanup_tree_ Tree t = {};

    tree_init(&t);
    write_interfaces(&t, "eth0", 0, 0);
    take(&t);
    write_interfaces(&t, "eth0", 4000, 0);
    t.awake_usec += 4 * USEC_PER_SEC;
    take(&t);
    g_assert_cmpfloat(measure_one(&t, "net-bytes-in"), ==, 1000);
    write_interfaces(&t, "eth0", 9000, 0);
    t.awake_usec += USEC_PER_SEC;
    t.slept_usec += 3600 * USEC_PER_SEC;
    take(&t);
    g_assert_true(isnan(measure_one(&t, "net-bytes-in")));
    write_interfaces(&t, "eth0", 9500, 0);
    t.awake_usec += USEC_PER_SEC;
    take(&t);
    g_assert_cmpfloat(measure_one(&t, "net-bytes-in"), ==, 500);
    t.awake_usec += USEC_PER_SEC / 4;
    take(&t);
    g_assert_true(isnan(measure_one(&t, "net-bytes-in")));
    take(&t); /* no time at all */
    g_assert_true(isnan(measure_one(&t, "net-bytes-in")));
    t.awake_usec -= USEC_PER_SEC;
    take(&t);
    g_assert_true(isnan(measure_one(&t, "net-bytes-in")));
}

/* All keys of the Python agent's type, or no sample. */
static void test_system(void) {
    static const double expected[] = {0.25, 7, 8, 9 * 512, 10 * 512, 1011, 1012};
    _cleanup_(measure_done) Measure m = {};
    _cleanup_tree_ Tree t = {};

    tree_init(&t);
    tree_add_disk(t.root, "sda", true);
    write_disks(&t, "8 0 sda 7 0 9 0 8 0 10 0 0 0 0\n8 1 sda1 7 0 9 0 8 0 10 0 0 0 0\n");
    write_interfaces(&t, "eth0", 11, 12);
    tree_write(t.root, "proc/stat", "cpu 0 0 0 0\n");
    take(&t);
    g_assert_cmpint(measure(&t, "system-stats", &m), ==, 0);
    tree_write(t.root, "proc/stat", "cpu 25 0 0 75\n");
    t.awake_usec += USEC_PER_SEC;
    take(&t);
    g_assert_cmpint(measure(&t, "system-stats", &m), ==, 1);
    for (size_t i = 0; i < ELEMENTSOF(expected); i++)
        g_assert_cmpfloat_with_epsilon(m.values[i], expected[i], 1e-9);
}

static void test_disk_rows(void) {
    static const double expected[] = {5, 10, 50 * 512, 100 * 512, 3, 2, 0.25, 7};
    _cleanup_(measure_done) Measure m = {};
    _cleanup_tree_ Tree t = {};

    tree_init(&t);
    tree_add_disk(t.root, "sda", true);
    tree_add_disk(t.root, "sdb", true);
    write_disks(&t, "8 0 sda 10 0 100 0 20 0 200 0 0 4294967200 0\n"
                    "8 16 sdb 1 0 1 1 1 0 1 1 0 1 1\n");
    take(&t);
    write_disks(&t, "8 0 sda 20 0 200 30 40 0 400 40 7 404 0\n"
                    "8 16 sdb 1 0 1 1 1 0 1 1 0 9999 1\n8 32 sdc 1 0 1 1 1 0 1 1 0 1 1\n");
    t.awake_usec += 2 * USEC_PER_SEC;
    take(&t);
    g_assert_cmpint(measure(&t, "disks", &m), ==, 1);
    g_assert_cmpuint(m.n_rows, ==, 2);
    g_assert_cmpstr(m.rows[0].name, ==, "sda");
    for (size_t i = 0; i < ELEMENTSOF(expected); i++) /* busy_msec has wrapped */
        g_assert_cmpfloat_with_epsilon(m.rows[0].values[i], expected[i], 1e-9);
    g_assert_cmpfloat(m.rows[1].values[4], ==, 0); /* nothing was read: no latency */
    g_assert_cmpfloat(m.rows[1].values[6], ==, 1); /* at most all the time */
}

static void test_interface_rows(void) {
    static const double expected[] = {100, 50, 0, 0, 0, 0, 0, 0};
    _cleanup_(measure_done) Measure m = {};
    _cleanup_tree_ Tree t = {};
    const MeasureRow *row;

    tree_init(&t);
    write_interfaces(&t, "eth0", 100, 100);
    take(&t);
    write_interfaces(&t, "eth0", 300, 200);
    t.awake_usec += 2 * USEC_PER_SEC;
    take(&t);
    g_assert_cmpint(measure(&t, "interfaces", &m), ==, 1);
    row = find_row(&m, "eth0");
    g_assert_nonnull(row);
    for (size_t i = 0; i < ELEMENTSOF(expected); i++)
        g_assert_cmpfloat(row->values[i], ==, expected[i]);
    tree_write(t.root, "proc/net/dev", "eth0: 300 3 4 6 0 0 0 0 200 8 10 12 0 0 0 0\n");
    t.awake_usec += USEC_PER_SEC;
    take(&t);
    g_assert_cmpint(measure(&t, "interfaces", &m), ==, 1);
    g_assert_cmpuint(m.n_rows, ==, 0 + 1); /* lo is gone */
    for (size_t i = 2; i < ELEMENTSOF(expected); i++)
        g_assert_cmpfloat(m.rows[0].values[i], ==, ((double[]){0, 0, 2, 4, 2, 5, 3, 6})[i]);
}

/* An absent value is absent, not 0. */
static void test_absent(void) {
    static const char *const types[] = {"memory", "load",  "pressure", "filesystems",
                                        "agent",  "disks", "units"};
    _cleanup_(measure_done) Measure m = {};
    _cleanup_(sample_freep) Sample *s = NULL;
    _cleanup_json_ struct json_object *o = NULL, *expected = NULL;
    static const char text[] =
        "{\"timestamp\":1.5,\"resources\":[{\"name\":\"io\",\"some-avg10\":1.5,\"some-avg60\":2.0,"
        "\"some-avg300\":3.0,\"some-total\":4}]}";
    _cleanup_tree_ Tree t = {};

    tree_init(&t);
    take(&t);
    t.awake_usec += USEC_PER_SEC;
    take(&t);
    for (size_t i = 0; i < ELEMENTSOF(types); i++)
        g_assert_cmpint(measure(&t, types[i], &m), ==, 0);
    g_assert_cmpint(measure(&t, "temperature", &m), ==, 1);
    g_assert_cmpuint(m.n_rows, ==, 0);

    tree_write(t.root, "proc/pressure/io", "some avg10=1.50 avg60=2.00 avg300=3.00 total=4\n");
    tree_write(t.root, "proc/pressure/cpu", "");
    take(&t);
    g_assert_cmpint(measure(&t, "pressure", &m), ==, 1);
    g_assert_cmpint(sample_new(stat_type_find("pressure"), &m, 1500000, &s), ==, 0);
    g_assert_cmpuint(sample_get_n_rows(s), ==, 1);
    g_assert_true(isnan(sample_get_in_row(s, 0, 4)));
    g_assert_true(isnan(sample_get_in_row(s, 1, 0)));
    g_assert_cmpint(sample_to_json(s, stat_type_find("pressure"), &o), ==, 0);
    g_assert_cmpint(json_parse(text, strlen(text), &expected), ==, 0);
    g_assert_true(json_object_equal(o, expected));
}

/* One that lacks a disk and is being rebuilt, and one that md did not start; a number without an
 * array is none. */
static void test_arrays(void) {
    _cleanup_(measure_done) Measure m = {};
    _cleanup_tree_ Tree t = {};

    tree_init(&t);
    tree_write(t.root, "sys/block/md9/md/array_state", "active\n");
    tree_write(t.root, "sys/block/md9/md/raid_disks", "2\n");
    tree_write(t.root, "sys/block/md9/md/degraded", "1\n");
    tree_write(t.root, "sys/block/md9/md/sync_completed", "256 / 1024\n");
    tree_write(t.root, "sys/block/md127/md/array_state", "inactive\n");
    tree_write(t.root, "sys/block/md127/md/sync_completed", "none\n");
    tree_write(t.root, "sys/block/md0/md/array_state", "clear\n");
    take(&t);
    g_assert_cmpint(measure(&t, "arrays", &m), ==, 1);
    g_assert_cmpuint(m.n_rows, ==, 2);
    g_assert_cmpstr(m.rows[0].name, ==, "md9");
    g_assert_cmpfloat(m.rows[0].values[0], ==, 2);
    g_assert_cmpfloat(m.rows[0].values[1], ==, 1);
    g_assert_cmpfloat(m.rows[0].values[2], ==, 0);
    g_assert_cmpfloat(m.rows[0].values[3], ==, 0.25);
    g_assert_cmpstr(m.rows[1].name, ==, "md127");
    g_assert_cmpfloat(m.rows[1].values[2], ==, 1);
    g_assert_true(isnan(m.rows[1].values[3]));
    tree_write(t.root, "sys/block/md9/md/degraded", "0\n");
    take(&t);
    g_assert_cmpint(measure(&t, "arrays", &m), ==, 1);
    g_assert_cmpfloat(m.rows[0].values[1], ==, 0);
}

/* A disk that is there and being rebuilt is not missing, though the kernel counts it as such. */
static void test_rebuilt_disks(void) {
    static const struct {
        const char *slot, *state;
        double n_missing;
    } rows[] = {
        {"2\n", "spare\n", 0},
        {"2\n", "spare,write_mostly\n", 0},
        {"none\n", "spare\n", 1},
        {"2\n", "faulty,spare\n", 1},
        {"2\n", "in_sync\n", 1},
        {"2\n", "spare,replacement\n", 1},
        {"", "", 1},
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        _cleanup_(measure_done) Measure m = {};
        _cleanup_tree_ Tree t = {};

        tree_init(&t);
        tree_write(t.root, "sys/block/md9/md/array_state", "active\n");
        tree_write(t.root, "sys/block/md9/md/raid_disks", "3\n");
        tree_write(t.root, "sys/block/md9/md/degraded", "1\n");
        tree_write(t.root, "sys/block/md9/md/dev-vdb/slot", "0\n");
        tree_write(t.root, "sys/block/md9/md/dev-vdb/state", "in_sync\n");
        tree_write(t.root, "sys/block/md9/md/dev-vdc/slot", rows[i].slot);
        tree_write(t.root, "sys/block/md9/md/dev-vdc/state", rows[i].state);
        take(&t);
        g_assert_cmpint(measure(&t, "arrays", &m), ==, 1);
        g_assert_cmpfloat(m.rows[0].values[1], ==, rows[i].n_missing);
    }
}

static void test_backups(void) {
    _cleanup_(measure_done) Measure m = {};
    _cleanup_tree_ Tree t = {};

    tree_init(&t);
    take(&t);
    g_assert_cmpint(measure(&t, "backups", &m), ==, 1);
    g_assert_cmpuint(m.n_rows, ==, 0);
    tree_write(t.root, SERIES_STATE_FILE,
               "{\"series\":[{\"name\":\"paths-etc\",\"outcome\":\"complete\",\"success_usec\":1,"
               "\"size_bytes\":7},"
               "{\"name\":\"paths-home\",\"outcome\":\"failed\",\"schedule\":\"daily\","
               "\"due_usec\":1,\"error\":\"no space\"}]}");
    take(&t);
    g_assert_cmpint(measure(&t, "backups", &m), ==, 1);
    g_assert_cmpuint(m.n_rows, ==, 2);
    g_assert_cmpstr(m.rows[0].name, ==, "paths-etc");
    g_assert_cmpfloat(m.rows[0].values[0], ==, 89);
    g_assert_cmpfloat(m.rows[0].values[1], ==, 7);
    g_assert_cmpfloat(m.rows[0].values[2], ==, 0);
    g_assert_cmpfloat(m.rows[0].values[3], ==, 0);
    g_assert_true(isnan(m.rows[1].values[0]));
    g_assert_cmpfloat(m.rows[1].values[2], ==, 1);
    g_assert_cmpfloat(m.rows[1].values[3], ==, 1);
    /* torn, or of a newer version: no figures rather than false ones */
    tree_write(t.root, SERIES_STATE_FILE, "{\"series\":[{\"name\":\"a\",\"new\":1}]}");
    take(&t);
    g_assert_cmpint(measure(&t, "backups", &m), ==, 0);
}

static void test_missing_mounts(void) {
    static const char fstab[] = "# a comment\n"
                                "UUID=u1 / ext4 defaults 0 1\n"
                                "UUID=u2 /srv/with\\040blank/ xfs nofail 0 2\n"
                                "/dev/vdb\t/data xfs defaults,nofail 0 2\n"
                                "LABEL=x /cd ext4 ro,noauto 0 0\n"
                                "UUID=u3 none swap sw 0 0\n"
                                "tmpfs /tmp tmpfs defaults 0 0\n"
                                "server:/x /net nfs defaults 0 0\n";
    _cleanup_(measure_done) Measure m = {};
    _cleanup_tree_ Tree t = {};

    tree_init(&t);
    tree_write(t.root, "etc/fstab", fstab);
    tree_write(t.root, "proc/self/mountinfo",
               "20 1 240:1 / / rw shared:1 - ext4 /dev/root rw\n"
               "22 20 240:2 / /srv/with\\040blank rw - xfs /dev/vda rw\n"
               "23 20 240:3 / /database rw - xfs /dev/vdc rw\n");
    take(&t);
    g_assert_cmpint(measure(&t, "mounts", &m), ==, 1);
    g_assert_cmpfloat(m.values[0], ==, 1);
    g_assert_cmpuint(m.n_rows, ==, 1);
    g_assert_cmpstr(m.rows[0].name, ==, "/data");
    tree_write(t.root, "proc/self/mountinfo", "20 1 240:1 / / rw - ext4 /dev/root rw\n");
    take(&t);
    g_assert_cmpint(measure(&t, "mounts", &m), ==, 1);
    g_assert_cmpfloat(m.values[0], ==, 2);
    /* one of mount_volume that waits for its key; edited, it is somebody else's, and has noauto */
    for (unsigned edited = 0; edited < 2; edited++) {
        static const char line[] = "UUID=u4 /secret ext4 defaults,nofail,noauto 0 2";
        _cleanup_free_ char *mark = NULL;
        g_autofree char *text = NULL;

        g_assert_cmpint(tab_mark_format(line, strlen(line), &mark), ==, 0);
        text = g_strdup_printf("%s\n%s%s\n", mark, line, edited ? " # mine" : "");
        tree_write(t.root, "etc/fstab", text);
        take(&t);
        g_assert_cmpint(measure(&t, "mounts", &m), ==, 1);
        g_assert_cmpfloat(m.values[0], ==, edited ? 0 : 1);
    }
    tree_write(t.root, "etc/fstab", "");
    take(&t);
    g_assert_cmpint(measure(&t, "mounts", &m), ==, 1);
    g_assert_cmpfloat(m.values[0], ==, 0);
    tree_remove(t.root, "etc/fstab");
    take(&t);
    g_assert_cmpint(measure(&t, "mounts", &m), ==, 1);
    g_assert_cmpfloat(m.values[0], ==, 0);
}

/* Names are the kernel's, and need not be text. */
static void test_names(void) {
    _cleanup_(measure_done) Measure m = {};
    _cleanup_(sample_freep) Sample *s = NULL;
    _cleanup_json_ struct json_object *o = NULL;
    _cleanup_tree_ Tree t = {};
    size_t size;

    tree_init(&t);
    write_interfaces(&t, "\xff\"x", 1, 1);
    take(&t);
    t.awake_usec += USEC_PER_SEC;
    take(&t);
    g_assert_cmpint(measure(&t, "interfaces", &m), ==, 1);
    g_assert_cmpint(sample_new(stat_type_find("interfaces"), &m, 0, &s), ==, 0);
    g_assert_cmpstr(sample_get_row_name(s, 0), ==, "lo");
    g_assert_cmpstr(sample_get_row_name(s, 1), ==, "\xff\"x");
    g_assert_cmpint(sample_to_json(s, stat_type_find("interfaces"), &o), ==, 0);
    g_assert_nonnull(strstr(json_to_text(o, &size), "\"\xef\xbf\xbd\\\"x\""));
}

/* The table itself. */
static void test_types(void) {
    const StatType *parts[STAT_COMPONENTS_MAX];
    size_t n;
    const StatType *types = stat_type_table(&n);

    for (size_t i = 0; i < n; i++) {
        g_assert_true(stat_type_find(types[i].name) == &types[i]);
        g_assert_cmpuint(types[i].n_fields, <=, STAT_FIELDS_PER_ROW_MAX);
        g_assert_cmpuint(types[i].n_row_fields, <=, STAT_FIELDS_PER_ROW_MAX);
        g_assert_cmpuint(types[i].sources, >, 0);
    }
    g_assert_null(stat_type_find("cpu"));
    g_assert_null(stat_type_find(""));
    g_assert_cmpuint(stat_type_components(stat_type_find("load"), parts), ==, 1);
    g_assert_true(parts[0] == stat_type_find("load"));
    n = stat_type_components(stat_type_find("system-overview"), parts);
    g_assert_cmpuint(n, >, 5);
    for (size_t i = 0; i < n; i++)
        g_assert_nonnull(parts[i]->measure);
}

/* The machine's own files. */
static void test_here(void) {
    _cleanup_(measure_done) Measure m = {};
    _cleanup_tree_ Tree t = {};

    tree_init(&t);
    sources_free(t.sources);
    g_assert_cmpint(sources_new("/", &t.sources), ==, 0);
    take(&t);
    t.awake_usec += USEC_PER_SEC;
    take(&t);
    g_assert_cmpint(measure(&t, "memory", &m), ==, 1);
    g_assert_cmpfloat(m.values[0], ==, m.values[1] + m.values[3] + m.values[4]);
    g_assert_cmpint(measure(&t, "load", &m), ==, 1);
    g_assert_cmpint(measure(&t, "interfaces", &m), ==, 1);
    g_assert_nonnull(find_row(&m, "lo"));
    g_assert_cmpint(measure(&t, "agent", &m), ==, 1);
    g_assert_cmpfloat(m.values[2], >, 0);
    g_assert_cmpint(measure(&t, "filesystems", &m), ==, 1);
    for (size_t i = 0; i < m.n_rows; i++)
        g_assert_cmpfloat(m.rows[i].values[1], <=, m.rows[i].values[0]);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/health-measure/cpu", test_cpu);
    g_test_add_func("/health-measure/disk-sums", test_disk_sums);
    g_test_add_func("/health-measure/interface-sums", test_interface_sums);
    g_test_add_func("/health-measure/time", test_time);
    g_test_add_func("/health-measure/system", test_system);
    g_test_add_func("/health-measure/disk-rows", test_disk_rows);
    g_test_add_func("/health-measure/interface-rows", test_interface_rows);
    g_test_add_func("/health-measure/absent", test_absent);
    g_test_add_func("/health-measure/arrays", test_arrays);
    g_test_add_func("/health-measure/rebuilt-disks", test_rebuilt_disks);
    g_test_add_func("/health-measure/backups", test_backups);
    g_test_add_func("/health-measure/missing-mounts", test_missing_mounts);
    g_test_add_func("/health-measure/names", test_names);
    g_test_add_func("/health-measure/types", test_types);
    g_test_add_func("/health-measure/here", test_here);
    return g_test_run();
}
