/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that files of proc and sys are read rightly, that lines which are none are skipped and
 * files that are none refused, that disks are told from what lies on them, and that only file
 * systems of this machine are looked at. */
#include <fcntl.h>
#include <inttypes.h>
#include <sys/sysmacros.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "health/counter.h"
#include "health/disk.h"
#include "health/file-system.h"
#include "health/footprint.h"
#include "health/interface.h"
#include "health/load.h"
#include "health/memory.h"
#include "health/scan.h"
#include "health/temperature.h"
#include "proc-tree.h"

static void test_counter(void) {
    static const struct {
        uint64_t before, now, delta;
    } cases[] = {
        {0, 0, 0},
        {5, 12, 7},
        {UINT32_MAX, UINT64_C(1) << 32, 1},
        {UINT32_MAX, 4, 5},                       /* wrap of 32 bits */
        {UINT32_MAX - 99, 100, 200},              /* the same */
        {UINT64_MAX, 4, 5},                       /* wrap of 64 bits */
        {UINT64_MAX - 999, 0, 1000},              /* the same */
        {1000, 10, 0},                            /* another device */
        {UINT32_MAX / 2, 10, 0},                  /* the same */
        {UINT32_MAX, UINT32_MAX - 1, 0},          /* it went back a little */
        {(UINT64_C(1) << 40) + 5, UINT32_MAX, 0}, /* another device */
        {UINT64_MAX - 1, UINT64_MAX - 2, 0},      /* it went back a little */
        {UINT64_MAX / 2, 3, 0},                   /* another device */
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++)
        g_assert_cmpuint(counter_delta(cases[i].before, cases[i].now), ==, cases[i].delta);
}

static void test_scan(void) {
    static const struct {
        const char *text;
        bool good;
        uint64_t n;
        const char *rest;
    } cases[] = {
        {" 12 x", true, 12, " x"},
        {"18446744073709551615", true, UINT64_MAX, ""},
        {"18446744073709551616", false, 0, "18446744073709551616"},
        {"-1", false, 0, "-1"},
        {"", false, 0, ""},
        {"\n5", false, 0, "\n5"}, /* not of the next line */
    };
    const char *p = "12.05x 7 .5 3.", *line = "a\nb\n";
    double d = 0;

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        const char *q = cases[i].text;
        uint64_t n = 0;

        g_assert_cmpint(scan_u64(&q, &n), ==, cases[i].good);
        g_assert_cmpuint(n, ==, cases[i].n);
        g_assert_cmpstr(q, ==, cases[i].rest);
    }
    g_assert_true(scan_decimal(&p, &d));
    g_assert_cmpfloat_with_epsilon(d, 12.05, 1e-12);
    p++;
    g_assert_true(scan_decimal(&p, &d));
    g_assert_cmpfloat(d, ==, 7);
    g_assert_false(scan_decimal(&p, &d)); /* ".5" */
    p += 3;
    g_assert_false(scan_decimal(&p, &d)); /* "3." */
    line = scan_next_line(line);
    g_assert_cmpstr(line, ==, "b\n");
    g_assert_null(scan_next_line(line));
}

static bool name_has_no_digit(const char *name, void *userdata) {
    unsigned *n = userdata;

    (*n)++;
    return strpbrk(name, "0123456789") == NULL;
}

static const char diskstats[] =
    "   8       0 sda 100 1 2000 30 200 2 4000 60 1 70 90\n"
    "   8       1 sda1 90 1 1800 30 200 2 4000 60 0 70 90 1 2 3 4 5 6\n"
    "bad line\n"
    "   8\n"
    "   8      16 sdb 1 2 3\n"
    "   8      16 a_name_that_is_longer_than_any_disk_has 1 2 3 4 5 6 7 8 9 10 11\n"
    "\n"
    " 259       0 nvme0n1 5 0 18446744073709551615 0 0 0 18446744073709551616 0 0 0 0\n"
    " 104       0 cciss/c0d0 1 2 3 4 5 6 7 8 9 10 11\n";

static void test_disks(void) {
    _cleanup_(disk_table_done) DiskTable none = {}, a = {}, b = {};
    unsigned n_asked = 0;

    g_assert_cmpint(disk_table_parse(&a, diskstats, &none, name_has_no_digit, &n_asked), ==, 0);
    g_assert_cmpuint(a.n, ==, 3); /* the number of nvme0n1 does not fit */
    g_assert_cmpuint(n_asked, ==, 3);
    g_assert_cmpstr(a.disks[0].name, ==, "sda");
    g_assert_true(a.disks[0].is_whole);
    g_assert_cmpuint(a.disks[0].reads, ==, 100);
    g_assert_cmpuint(a.disks[0].sectors_read, ==, 2000);
    g_assert_cmpuint(a.disks[0].read_msec, ==, 30);
    g_assert_cmpuint(a.disks[0].writes, ==, 200);
    g_assert_cmpuint(a.disks[0].sectors_written, ==, 4000);
    g_assert_cmpuint(a.disks[0].write_msec, ==, 60);
    g_assert_cmpuint(a.disks[0].n_in_flight, ==, 1);
    g_assert_cmpuint(a.disks[0].busy_msec, ==, 70);
    g_assert_false(a.disks[1].is_whole);
    g_assert_cmpstr(a.disks[2].name, ==, "cciss/c0d0");

    /* what is known is not asked for again, wherever it is; another number is another device */
    g_assert_cmpint(disk_table_parse(&b,
                                     " 8 1 sda1 1 1 1 1 1 1 1 1 1 1 1\n"
                                     " 8 0 sda 1 1 1 1 1 1 1 1 1 1 1",
                                     &a, name_has_no_digit, &n_asked),
                    ==, 0);
    g_assert_cmpuint(n_asked, ==, 3);
    g_assert_true(b.disks[1].is_whole);
    g_assert_true(disk_table_find(&a, &b.disks[1], 1) == &a.disks[0]);
    b.disks[1].minor = 7;
    g_assert_null(disk_table_find(&a, &b.disks[1], 0));
    g_assert_cmpint(disk_table_parse(&b, "", &a, name_has_no_digit, &n_asked), ==, 0);
    g_assert_cmpuint(b.n, ==, 0);
}

static void test_disk_bound(void) {
    _cleanup_(disk_table_done) DiskTable none = {}, t = {};
    g_autoptr(GString) text = g_string_new(NULL);
    unsigned n = 0;

    for (unsigned i = 0; i < HEALTH_DISKS_MAX + 10; i++)
        g_string_append_printf(text, "8 %u sd%u 1 1 1 1 1 1 1 1 1 1 1\n", i, i);
    g_assert_cmpint(disk_table_parse(&t, text->str, &none, name_has_no_digit, &n), ==, 0);
    g_assert_cmpuint(t.n, ==, HEALTH_DISKS_MAX);
}

static void test_whole_disks(void) {
    static const struct {
        const char *name;
        bool is_whole;
    } cases[] = {
        {"sda", true},   {"sda1", false},   {"xvda1", true}, /* some clouds have no disk around it
                                                              */
        {"dm-0", false}, {"md0", false},    {"loop0", false},     {"zram0", false},
        {"nbd0", true},  {"nvme0n1", true}, {"nvme0c0n1", false}, {"cciss/c0d0", true},
        {".", false},    {"..", false},
    };
    _cleanup_temporary_ char *root = temporary_new();
    _cleanup_close_ int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);

    tree_add_disk(root, "sda", true);
    tree_add_disk(root, "xvda1", true);
    tree_add_disk(root, "dm-0", false);
    tree_add_disk(root, "md0", false);
    tree_add_disk(root, "loop0", false);
    tree_add_disk(root, "zram0", false);
    tree_add_disk(root, "nbd0", false);
    tree_add_disk(root, "nvme0n1", true);
    tree_write(root, "sys/block/nvme0n1/hidden", "0\n");
    tree_add_disk(root, "nvme0c0n1", true); /* a path to nvme0n1 */
    tree_write(root, "sys/block/nvme0c0n1/hidden", "1\n");
    tree_add_disk(root, "cciss!c0d0", true);
    for (size_t i = 0; i < ELEMENTSOF(cases); i++)
        if (disk_is_whole(fd, cases[i].name) != cases[i].is_whole)
            g_error("%s", cases[i].name);
}

static void test_interfaces(void) {
    static const char text[] =
        "Inter-|   Receive                                                |  Transmit\n"
        " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs\n"
        "    lo: 4915 58 0 0 0 0 0 0 4915 58 0 0 0 0 0 0\n"
        "  eth0:1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n" /* no blank on old kernels */
        "eth0:1: 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\n"
        "  cut: 1 2 3\n"
        ": 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"
        "  big: 18446744073709551615 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16";
    _cleanup_(interface_table_done) InterfaceTable t = {};

    g_assert_cmpint(interface_table_parse(&t, text), ==, 0);
    g_assert_cmpuint(t.n, ==, 4);
    g_assert_cmpstr(t.interfaces[0].name, ==, "lo");
    g_assert_cmpuint(t.interfaces[0].bytes_out, ==, 4915);
    g_assert_cmpstr(t.interfaces[1].name, ==, "eth0");
    g_assert_cmpuint(t.interfaces[1].bytes_in, ==, 1);
    g_assert_cmpuint(t.interfaces[1].packets_in, ==, 2);
    g_assert_cmpuint(t.interfaces[1].errors_in, ==, 3);
    g_assert_cmpuint(t.interfaces[1].drops_in, ==, 4);
    g_assert_cmpuint(t.interfaces[1].bytes_out, ==, 9);
    g_assert_cmpuint(t.interfaces[1].packets_out, ==, 10);
    g_assert_cmpuint(t.interfaces[1].errors_out, ==, 11);
    g_assert_cmpuint(t.interfaces[1].drops_out, ==, 12);
    g_assert_cmpstr(t.interfaces[2].name, ==, "eth0:1");
    g_assert_cmpuint(t.interfaces[3].bytes_in, ==, UINT64_MAX);
    g_assert_true(interface_table_find(&t, "eth0", 0) == &t.interfaces[1]);
    g_assert_true(interface_table_find(&t, "eth0", 1) == &t.interfaces[1]);
    g_assert_null(interface_table_find(&t, "eth1", 9));
    g_assert_cmpint(interface_table_parse(&t, ""), ==, 0);
    g_assert_cmpuint(t.n, ==, 0);
}

static void test_memory(void) {
    Memory m = {};

    g_assert_cmpint(
        memory_parse("MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 700 kB\n"
                     "Buffers: 50 kB\nCached: 300 kB\nSwapCached: 9 kB\nSwapTotal: 64 kB\n"
                     "SwapFree: 60 kB\nSReclaimable: 150 kB\n",
                     &m),
        ==, 0);
    g_assert_cmpuint(m.total, ==, 1000 * 1024);
    g_assert_cmpuint(m.free, ==, 100 * 1024);
    g_assert_cmpuint(m.available, ==, 700 * 1024);
    g_assert_cmpuint(m.cache, ==, 500 * 1024);
    g_assert_cmpuint(m.used, ==, 400 * 1024);
    g_assert_cmpuint(m.swap_total, ==, 64 * 1024);
    g_assert_cmpuint(m.swap_used, ==, 4 * 1024);

    /* no swap, no guess; sums that cannot be are cut */
    g_assert_cmpint(memory_parse("MemTotal: 10 kB\nMemFree: 4 kB\nCached: 90 kB\n", &m), ==, 0);
    g_assert_cmpuint(m.cache, ==, 6 * 1024);
    g_assert_cmpuint(m.used, ==, 0);
    g_assert_cmpuint(m.available, ==, 10 * 1024);
    g_assert_cmpuint(m.swap_total, ==, 0);
    g_assert_cmpint(memory_parse("MemTotal: 10 kB\nMemFree: 40 kB\nSwapFree: 1 kB\n", &m), ==, 0);
    g_assert_cmpuint(m.free, ==, 10 * 1024);
    g_assert_cmpuint(m.swap_used, ==, 0);

    g_assert_cmpint(memory_parse("", &m), ==, -EBADMSG);
    g_assert_cmpint(memory_parse("MemTotal: 10 kB\n", &m), ==, -EBADMSG);
    g_assert_cmpint(memory_parse("MemTotal: x\nMemFree: 1 kB\n", &m), ==, -EBADMSG);
    g_assert_cmpint(memory_parse("MemTotal: 18446744073709551615 kB\nMemFree: 1 kB\n", &m), ==,
                    -EBADMSG);
}

static void test_load(void) {
    static const char *const bad[] = {
        "", "0.1 0.2", "0.1 0.2 0.3", "0.1 0.2 0.3 4", "a b c 1/2", "0.1 0.2 0.3 1 / 2"};
    Load l = {};

    g_assert_cmpint(load_parse("0.14 10.17 200.08 2/86 10113\n", &l), ==, 0);
    g_assert_cmpfloat_with_epsilon(l.averages[0], 0.14, 1e-9);
    g_assert_cmpfloat_with_epsilon(l.averages[1], 10.17, 1e-9);
    g_assert_cmpfloat_with_epsilon(l.averages[2], 200.08, 1e-9);
    g_assert_cmpuint(l.n_runnable, ==, 2);
    g_assert_cmpuint(l.n_tasks, ==, 86);
    for (size_t i = 0; i < ELEMENTSOF(bad); i++)
        g_assert_cmpint(load_parse(bad[i], &l), ==, -EBADMSG);
    g_assert_cmpuint(l.n_tasks, ==, 86);
}

static void test_pressure(void) {
    Pressure p = {};

    g_assert_cmpint(pressure_parse("some avg10=0.10 avg60=2.04 avg300=30.37 total=4419236\n"
                                   "full avg10=1.00 avg60=0.00 avg300=0.00 total=7\n",
                                   &p),
                    ==, 0);
    g_assert_true(p.some.is_known && p.full.is_known);
    g_assert_cmpfloat_with_epsilon(p.some.averages[0], 0.1, 1e-9);
    g_assert_cmpfloat_with_epsilon(p.some.averages[2], 30.37, 1e-9);
    g_assert_cmpuint(p.some.total_usec, ==, 4419236);
    g_assert_cmpuint(p.full.total_usec, ==, 7);
    /* of a processor, before Linux 5.13 */
    g_assert_cmpint(pressure_parse("some avg10=0.10 avg60=2.04 avg300=30.37 total=1\n", &p), ==, 0);
    g_assert_true(p.some.is_known && !p.full.is_known);
    g_assert_cmpint(pressure_parse("some avg10=0.10 avg60=2.04 total=1\n", &p), ==, -EBADMSG);
    g_assert_cmpint(pressure_parse("some avg10=x avg60=1 avg300=1 total=1\n", &p), ==, -EBADMSG);
    g_assert_cmpint(pressure_parse("", &p), ==, -EBADMSG);
}

/* The root comes late, as after pivot_root(2). */
static const char mountinfo[] =
    "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
    "30 27 8:2 / /data\\040one rw shared:1 master:2 - xfs /dev/sda2 rw\n"
    "31 27 8:2 /sub /srv rw - xfs /dev/sda2 rw\n"              /* a part of the same */
    "50 27 8:1 /var/tmp/private /tmp rw - ext4 /dev/sda1 rw\n" /* comes before its whole */
    "51 27 8:2 / /very/much/longer rw - xfs /dev/sda2 rw\n"
    "52 27 0:50 /@home /home rw - btrfs /dev/sdc rw\n"
    "53 27 0:50 /@ /b rw - btrfs /dev/sdc rw\n"
    "32 27 0:40 / /mnt/nfs rw - nfs4 server:/x rw\n"
    "33 32 8:3 / /mnt/nfs/local rw - ext4 /dev/sda3 rw\n" /* the way there may block */
    "34 27 0:41 / /mnt/fuse rw - fuse.sshfs x rw\n"
    "35 27 7:0 / /snap/x ro - squashfs /dev/loop0 ro\n"
    "36 27 0:42 / /run rw - tmpfs tmpfs rw\n"
    "37 36 8:4 / /run/usb rw - vfat /dev/sdb4 rw\n"
    "38 27 0:43 / /auto rw - autofs systemd-1 rw\n"
    "39 38 8:5 / /auto rw - ext4 /dev/sda5 rw\n"
    "40 27 0:44 / /var/lib/container overlay rw - overlay overlay rw\n"
    "41 99 8:6 / /elsewhere rw - ext4 /dev/sda6 rw\n"
    "27 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"
    "42 27 8:7 / /no-type rw\n"
    "43 27 8:8 / relative rw - ext4 x rw\n"
    "44 27 8 / /x rw - ext4 x rw\n"
    "45 27 0:45 / /pool rw - zfs pool rw\n"
    "46 46 8:9 / /itself rw - ext4 x rw\n" /* a loop must end */
    "bad\n";

static void test_file_systems(void) {
    static const char *const expected[] = {"/data one", "/",          "/b",   "/run/usb",
                                           "/auto",     "/elsewhere", "/pool"};
    _cleanup_(file_system_table_done) FileSystemTable t = {};

    g_assert_cmpint(file_system_table_parse(&t, mountinfo), ==, 0);
    for (size_t i = 0; i < t.n; i++)
        g_assert_cmpstr(t.systems[i].mount_point, ==,
                        i < ELEMENTSOF(expected) ? expected[i] : "nothing more");
    g_assert_cmpuint(t.n, ==, ELEMENTSOF(expected));
    g_assert_cmpint(file_system_table_parse(&t, "27 1 0:44 / / rw - overlay overlay rw\n"), ==, 0);
    g_assert_cmpuint(t.n, ==, 1);
    g_assert_cmpint(file_system_table_parse(&t, ""), ==, 0);
    g_assert_cmpuint(t.n, ==, 0);
}

static void test_mounts(void) {
    _cleanup_temporary_ char *root = temporary_new();
    _cleanup_close_ int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    _cleanup_(mount_list_done) MountList l = MOUNT_LIST_INIT;
    _cleanup_(proc_text_done) ProcText text = {};
    g_autofree char *line = NULL;
    struct stat st;

    g_assert_cmpint(mount_list_read(&l, fd, root, &text), ==, -ENOENT);
    g_assert_cmpint(stat(root, &st), ==, 0);
    line = g_strdup_printf("1 0 %u:%u / / rw - ext4 x rw\n2 1 98:1 / /sys rw - ext4 y rw\n"
                           "3 1 98:2 / /absent rw - ext4 z rw\n",
                           major(st.st_dev), minor(st.st_dev));
    tree_write(root, "proc/self/mountinfo", line);
    tree_add_disk(root, "x", true);
    g_assert_cmpint(mount_list_read(&l, fd, root, &text), ==, 0);
    g_assert_cmpuint(l.table.n, ==, 3);
    g_assert_true(l.table.systems[0].is_known);
    g_assert_cmpuint(l.table.systems[0].size, >, 0);
    g_assert_cmpuint(l.table.systems[0].used, <=, l.table.systems[0].size);
    g_assert_false(l.table.systems[1].is_known); /* something else is mounted there */
    g_assert_false(l.table.systems[2].is_known);
    tree_write(root, "proc/self/mountinfo", "");
    g_assert_cmpint(mount_list_read(&l, fd, root, &text), ==, 0);
    g_assert_cmpuint(l.table.n, ==, 0);
}

static void test_temperature(void) {
    static const struct {
        const char *text;
        int result;
        double celsius;
    } cases[] = {
        {"45000\n", 0, 45},
        {"-5500\n", 0, -5.5},
        {"0", 0, 0},
        {"", -EBADMSG, 0},
        {"x\n", -EBADMSG, 0},
        {"1 2\n", -EBADMSG, 0},
        {"-300000", -EBADMSG, 0},
        {"99999999999999999999", -EBADMSG, 0},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        double c = 0;

        g_assert_cmpint(temperature_parse(cases[i].text, &c), ==, cases[i].result);
        g_assert_cmpfloat_with_epsilon(c, cases[i].celsius, 1e-9);
    }
}

static void test_sensors(void) {
    _cleanup_temporary_ char *root = temporary_new();
    _cleanup_close_ int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    _cleanup_(sensor_table_done) SensorTable t = {}, zones = {};
    _cleanup_(proc_text_done) ProcText text = {};

    g_assert_cmpint(sensor_table_read(&t, fd, &text), ==, 0);
    g_assert_cmpuint(t.n, ==, 0);
    sensor_table_done(&t);
    tree_write(root, "sys/class/thermal/thermal_zone0/type", "acpitz\n");
    tree_write(root, "sys/class/thermal/thermal_zone0/temp", "27800\n");
    tree_write(root, "sys/class/thermal/cooling_device0/type", "Fan\n");
    g_assert_cmpint(sensor_table_read(&zones, fd, &text), ==, 0);
    g_assert_cmpuint(zones.n, ==, 1);
    g_assert_cmpstr(zones.sensors[0].name, ==, "acpitz thermal_zone0");
    g_assert_cmpfloat_with_epsilon(zones.sensors[0].celsius, 27.8, 1e-9);

    tree_write(root, "sys/class/hwmon/hwmon10/name", "coretemp\n");
    tree_write(root, "sys/class/hwmon/hwmon10/temp1_input", "50000\n");
    tree_write(root, "sys/class/hwmon/hwmon10/temp1_label", "Package id 0\n");
    tree_write(root, "sys/class/hwmon/hwmon10/temp2_input", "broken\n");
    tree_write(root, "sys/class/hwmon/hwmon10/fan1_input", "900\n");
    tree_write(root, "sys/class/hwmon/hwmon11/name", "coretemp\n"); /* of another processor */
    tree_write(root, "sys/class/hwmon/hwmon11/temp1_input", "60000\n");
    tree_write(root, "sys/class/hwmon/hwmon11/temp1_label", "Package id 0\n");
    tree_write(root, "sys/class/hwmon/hwmon2/name", "board\n");
    tree_write(root, "sys/class/hwmon/hwmon2/temp1_input", "31000\n");
    tree_write(root, "sys/class/hwmon/hwmon3/name", "drivetemp\n"); /* a disk would be asked */
    tree_write(root, "sys/class/hwmon/hwmon3/temp1_input", "33000\n");
    g_assert_cmpint(sensor_table_read(&t, fd, &text), ==, 0);
    g_assert_cmpuint(t.n, ==, 4);
    g_assert_cmpstr(t.sensors[0].name, ==, "board temp1");
    g_assert_true(t.sensors[0].is_known);
    g_assert_cmpfloat(t.sensors[0].celsius, ==, 31);
    g_assert_cmpstr(t.sensors[1].name, ==, "coretemp Package id 0");
    g_assert_false(t.sensors[2].is_known);
    g_assert_cmpstr(t.sensors[3].name, ==, "coretemp Package id 0 #2");
    tree_write(root, "sys/class/hwmon/hwmon2/temp1_input", "32000\n");
    g_assert_cmpint(sensor_table_read(&t, fd, &text), ==, 0);
    g_assert_cmpfloat(t.sensors[0].celsius, ==, 32);
}

static void test_footprint(void) {
    _cleanup_temporary_ char *root = temporary_new();
    _cleanup_close_ int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    _cleanup_(proc_text_done) ProcText text = {};
    FootprintFiles f = FOOTPRINT_FILES_INIT;
    Footprint p = {};
    uint64_t n = 0;

    g_assert_cmpint(resident_pages_parse("10 20 30\n", &n), ==, 0);
    g_assert_cmpuint(n, ==, 20);
    g_assert_cmpint(resident_pages_parse("10", &n), ==, -EBADMSG);
    g_assert_cmpint(proportional_parse("x\nPss:    7 kB\nPss_Anon: 1 kB\n", &n), ==, 0);
    g_assert_cmpuint(n, ==, 7 * 1024);
    g_assert_cmpint(proportional_parse("Pss_Anon: 1 kB\n", &n), ==, -EBADMSG);
    g_assert_cmpint(footprint_read(&f, fd, &text, &p), ==, -ENOENT);
    tree_write(root, "proc/self/statm", "10 20 30\n");
    tree_write(root, "proc/self/fd/0", "");
    tree_write(root, "proc/self/fd/1", "");
    tree_write(root, "proc/self/fd/12", "");
    g_assert_cmpint(footprint_read(&f, fd, &text, &p), ==, 0);
    g_assert_cmpuint(p.resident_bytes, ==, 20 * (uint64_t)sysconf(_SC_PAGESIZE));
    g_assert_cmpuint(p.proportional_bytes, ==, 0); /* an old kernel */
    g_assert_cmpuint(p.n_files, ==, 2);
    g_assert_cmpuint(p.cpu_usec, >, 0);
    footprint_files_close(&f);
}

/* A file that is too large is refused, one that comes back is read again. */
static void test_file(void) {
    _cleanup_temporary_ char *root = temporary_new();
    _cleanup_close_ int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    g_autofree char *huge = g_strnfill(PROC_FILE_MAX + 1, 'x');
    g_autofree char *large = g_strnfill(PROC_FILE_MAX, 'x');
    _cleanup_(proc_text_done) ProcText text = {};
    ProcFile f = PROC_FILE_INIT;

    g_assert_cmpint(proc_file_read(&f, fd, "proc/x", &text), ==, -ENOENT);
    tree_write(root, "proc/x", "one");
    g_assert_cmpint(proc_file_read(&f, fd, "proc/x", &text), ==, 0);
    g_assert_cmpstr(text.text, ==, "one");
    tree_write(root, "proc/x", "");
    g_assert_cmpint(proc_file_read(&f, fd, "proc/x", &text), ==, 0);
    g_assert_cmpstr(text.text, ==, "");
    tree_write(root, "proc/x", large);
    g_assert_cmpint(proc_file_read(&f, fd, "proc/x", &text), ==, 0);
    g_assert_cmpuint(text.size, ==, PROC_FILE_MAX);
    tree_write(root, "proc/x", huge);
    g_assert_cmpint(proc_file_read(&f, fd, "proc/x", &text), ==, -EFBIG);
    tree_write(root, "proc/x", "two");
    g_assert_cmpint(proc_file_read(&f, fd, "proc/x", &text), ==, 0);
    g_assert_cmpstr(text.text, ==, "two");
    proc_file_close(&f);
    g_assert_cmpint(proc_file_read(&f, fd, "proc", &text), ==, -EISDIR);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/health-sources/counter", test_counter);
    g_test_add_func("/health-sources/scan", test_scan);
    g_test_add_func("/health-sources/disks", test_disks);
    g_test_add_func("/health-sources/disk-bound", test_disk_bound);
    g_test_add_func("/health-sources/whole-disks", test_whole_disks);
    g_test_add_func("/health-sources/interfaces", test_interfaces);
    g_test_add_func("/health-sources/memory", test_memory);
    g_test_add_func("/health-sources/load", test_load);
    g_test_add_func("/health-sources/pressure", test_pressure);
    g_test_add_func("/health-sources/file-systems", test_file_systems);
    g_test_add_func("/health-sources/mounts", test_mounts);
    g_test_add_func("/health-sources/temperature", test_temperature);
    g_test_add_func("/health-sources/sensors", test_sensors);
    g_test_add_func("/health-sources/footprint", test_footprint);
    g_test_add_func("/health-sources/file", test_file);
    return g_test_run();
}
