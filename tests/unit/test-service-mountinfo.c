/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that what is mounted at or below a directory is found, and nothing beside it, and that
 * subvolumes of one btrfs are told as one file system. */
#include <glib.h>
#include <sys/sysmacros.h>

#include "service/mountinfo.h"

static const char text[] =
    "22 1 0:20 /@ / rw,relatime shared:1 - btrfs /dev/vda2 rw,subvol=/@\n"
    "23 22 0:20 /@/srv /srv rw,relatime shared:2 - btrfs /dev/vda2 rw,subvol=/@/srv\n"
    "24 23 254:16 / /srv/dcm/services/a1/data rw shared:3 - ext4 /dev/vdb rw\n"
    "25 23 254:16 /sub /srv/dcm/services/a1/data/x\\040y rw - ext4 /dev/vdb rw\n"
    "26 23 254:32 / /srv/dcm/services/a2 rw master:1 propagate_from:2 - xfs /dev/vdc rw\n"
    "27 23 0:44 / /srv/dcm/services/a3x rw - tmpfs tmpfs rw\n"
    "not a line\n"
    "\n"
    "18446744073709551615 23 1:2 / /last rw - ext4 /dev/x rw";

static void test_below(void) {
    static const struct {
        const char *path, *point; /* NULL: none */
    } rows[] = {
        {"/srv/dcm/services/a1", "/srv/dcm/services/a1/data"},
        {"/srv/dcm/services/a1/data", "/srv/dcm/services/a1/data"},
        {"/srv/dcm/services/a1/data/x\\040y", "/srv/dcm/services/a1/data/x\\040y"},
        {"/srv/dcm/services/a2", "/srv/dcm/services/a2"},
        {"/srv/dcm/services/a3", NULL},
        {"/srv/dcm/services/a", NULL},
        {"/srv/dcm/services/a1/dat", NULL},
        {"/srv/dcm/services/.former-a1", NULL},
        {"/last", "/last"},
        {"/last/x", NULL},
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        g_autofree char *point = NULL;
        const int r = mountinfo_find_below(text, rows[i].path, &point);

        g_assert_cmpint(r, ==, rows[i].point ? 0 : -ENOENT);
        g_assert_cmpstr(point, ==, rows[i].point);
    }
}

static void test_device(void) {
    dev_t root, srv, data, last;

    g_assert_cmpint(mountinfo_find_device(text, 22, &root), ==, 0);
    g_assert_cmpint(mountinfo_find_device(text, 23, &srv), ==, 0);
    g_assert_true(root == srv && root == makedev(0, 20));
    g_assert_cmpint(mountinfo_find_device(text, 24, &data), ==, 0);
    g_assert_true(data == makedev(254, 16));
    g_assert_cmpint(mountinfo_find_device(text, UINT64_MAX, &last), ==, 0);
    g_assert_true(last == makedev(1, 2));
    g_assert_cmpint(mountinfo_find_device(text, 2, &last), ==, -ENOENT);
    g_assert_cmpint(mountinfo_find_device("", 22, &last), ==, -ENOENT);
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/service-mountinfo/below", test_below);
    g_test_add_func("/service-mountinfo/device", test_device);
    return g_test_run();
}
