/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that a full and a read-only disk each give their own error and lose nothing. */
#include <sched.h>
#include <sys/mount.h>

#include "store-fixture.h"
#include "store/repair.h"

/* Skips, and says why, where that is not allowed. */
static bool mount_small(const char *dir, const char *options) {
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", dir, "tmpfs", 0, options) < 0) {
        g_autofree char *why =
            g_strdup_printf("no mount namespace of our own: %s", g_strerror(errno));

        g_test_skip(why);
        return false;
    }
    return true;
}

/* Commits until one fails; returns the number of that one. */
static unsigned fill(Store *s, unsigned first, const char *payload) {
    for (unsigned i = first;; i++) {
        g_autofree char *guid = g_strdup_printf("guid-%u", i);
        int r;

        g_assert_cmpint(store_begin(s), ==, 0);
        r = insert(s, guid, REQUEST_STATE_ACKED, NULL, payload);
        if (r < 0)
            store_rollback(s);
        else
            r = store_commit(s);
        g_assert_false(store_in_transaction(s));
        if (r < 0) {
            g_assert_cmpint(r, ==, -ENOSPC);
            return i;
        }
        g_assert_cmpuint(i, <, 1000);
    }
}

static void assert_all_there(Store *s, unsigned n) {
    unsigned counts[_REQUEST_STATE_MAX];

    for (unsigned i = 0; i <= n; i++) {
        g_autofree char *guid = g_strdup_printf("guid-%u", i);

        g_assert_cmpint(exists(s, guid), ==, i < n);
    }
    g_assert_cmpint(store_count_requests(s, counts), ==, 0);
    g_assert_cmpuint(counts[REQUEST_STATE_ACKED], ==, n);
}

static void test_full_disk(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    g_autofree char *path = g_build_filename(dir, "agent.db", NULL);
    g_autofree char *payload = g_strnfill(20000, 'p');
    Store *s = NULL;
    unsigned n;

    if (!mount_small(dir, "size=512k"))
        return;
    g_assert_cmpint(store_open(path, &s), ==, 0);
    n = fill(s, 0, payload);
    g_assert_cmpuint(n, >, 3);
    assert_all_there(s, n);
    n = fill(s, n, payload); /* still full */
    assert_all_there(s, n);

    g_assert_cmpint(mount("tmpfs", dir, "tmpfs", MS_REMOUNT, "size=16m"), ==, 0);
    insert_committed(s, "after", REQUEST_STATE_NACKED);
    assert_all_there(s, n);
    s = store_close(s);
    g_assert_cmpint(store_open(path, &s), ==, 0);
    assert_all_there(s, n);
    g_assert_true(exists(s, "after"));
    store_close(s);
    g_assert_cmpint(umount(dir), ==, 0);
}

/* SQLite may end a transaction by itself when the disk is full: what is changed after that must not
 * be stored on its own. */
static void test_full_disk_in_transaction(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    g_autofree char *path = g_build_filename(dir, "agent.db", NULL);
    g_autofree char *payload = g_strnfill(4000000, 'p');
    Store *s = NULL;

    if (!mount_small(dir, "size=1m"))
        return;
    g_assert_cmpint(store_open(path, &s), ==, 0);
    g_assert_cmpint(store_begin(s), ==, 0);
    g_assert_cmpint(insert(s, "first", REQUEST_STATE_ACKED, NULL, "{}"), ==, 0);
    g_assert_cmpint(insert(s, "large", REQUEST_STATE_ACKED, NULL, payload), ==, -ENOSPC);
    if (insert(s, "last", REQUEST_STATE_ACKED, NULL, "{}") >= 0)
        g_assert_true(exists(s, "first"));
    store_rollback(s);
    g_assert_false(exists(s, "first") || exists(s, "large") || exists(s, "last"));
    insert_committed(s, "after", REQUEST_STATE_ACKED);
    store_close(s);
    g_assert_cmpint(umount(dir), ==, 0);
}

/* What was salvaged is in the file itself, as only that is put in place, or else it is told. */
static void test_full_disk_in_salvage(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    g_autofree char *path = g_build_filename(dir, "agent.db", NULL);
    g_autofree char *other = g_build_filename(dir, "other.db", NULL);
    g_autofree char *payload = g_strnfill(20000, 'p');
    Store *s = NULL;

    if (!mount_small(dir, "size=2m")) /* enough for the rows and a journal of them, no more */
        return;
    g_assert_cmpint(store_open(path, &s), ==, 0);
    g_assert_cmpint(store_begin(s), ==, 0);
    for (unsigned i = 0; i < 40; i++) {
        g_autofree char *guid = g_strdup_printf("guid-%u", i);

        g_assert_cmpint(insert(s, guid, REQUEST_STATE_ACKED, NULL, payload), ==, 0);
    }
    g_assert_cmpint(store_commit(s), ==, 0);
    s = store_close(s);

    g_assert_cmpint(store_open(other, &s), ==, 0);
    g_assert_cmpint(store_salvage(s, path), ==, -ENOSPC);
    g_assert_cmpint(mount("tmpfs", dir, "tmpfs", MS_REMOUNT, "size=16m"), ==, 0);
    g_assert_cmpint(store_salvage(s, path), >=, 0);
    assert_all_there(s, 40);
    store_close(s);
    g_assert_cmpint(umount(dir), ==, 0);
}

static void test_read_only(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    g_autofree char *path = g_build_filename(dir, "agent.db", NULL);
    Store *s = NULL;

    if (!mount_small(dir, "size=4m"))
        return;
    g_assert_cmpint(store_open(path, &s), ==, 0);
    insert_committed(s, "g", REQUEST_STATE_ACKED);
    s = store_close(s);
    g_assert_cmpint(mount("tmpfs", dir, "tmpfs", MS_REMOUNT | MS_RDONLY, NULL), ==, 0);
    g_assert_cmpint(store_open(path, &s), ==, -EROFS);
    g_assert_cmpint(mount("tmpfs", dir, "tmpfs", MS_REMOUNT, NULL), ==, 0);
    g_assert_cmpint(store_open(path, &s), ==, 0);
    g_assert_true(exists(s, "g"));
    store_close(s);
    g_assert_cmpint(umount(dir), ==, 0);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store-disk/full-disk", test_full_disk);
    g_test_add_func("/store-disk/full-disk-in-transaction", test_full_disk_in_transaction);
    g_test_add_func("/store-disk/full-disk-in-salvage", test_full_disk_in_salvage);
    g_test_add_func("/store-disk/read-only", test_read_only);
    return g_test_run();
}
