/* SPDX-License-Identifier: Apache-2.0 */
/* Proves what is read from an array's files in sysfs while it is synchronised, rebuilt, checked or
 * idle; and that the wait for its end ends then, and says whether a disk was lost meanwhile. */
#include <glib.h>
#include <pthread.h>
#include <sys/inotify.h>

#include "basic/fd-util.h"
#include "dcm-volume/sync.h"
#include "temporary.h"

static void set(const char *dir, const char *action, const char *completed, const char *degraded) {
    temporary_write(dir, "raid_disks", "2\n", 2);
    temporary_write(dir, "degraded", degraded, strlen(degraded));
    temporary_write(dir, "sync_completed", completed, strlen(completed));
    temporary_write(dir, "sync_action", action, strlen(action));
}

static void test_read(void) {
    static const struct {
        const char *action, *completed, *degraded;
        SyncAction wanted;
        int percent;
        unsigned n_missing;
    } rows[] = {
        {"resync\n", "512 / 2048\n", "0\n", SYNC_RESYNC, 25, 0},
        {"recover\n", "2048 / 2048\n", "1\n", SYNC_RECOVER, 100, 1},
        {"resync\n", "delayed\n", "0\n", SYNC_RESYNC, -1, 0},
        {"recover\n", "none\n", "1\n", SYNC_RECOVER, -1, 1},
        {"reshape\n", "1 / 0\n", "0\n", SYNC_RESHAPE, -1, 0},
        {"check\n", "512 / 2048\n", "0\n", SYNC_NONE, 25, 0},
        {"idle\n", "none\n", "0\n", SYNC_NONE, -1, 0},
        {"frozen\n", "none\n", "0\n", SYNC_NONE, -1, 0},
        {"resync\n", "9 / 3\n", "0\n", SYNC_RESYNC, 100, 0},
        {"resync\n", "18446744073709551615 / 1\n", "0\n", SYNC_RESYNC, 100, 0},
        {"", "", "", SYNC_NONE, -1, 0},
    };
    _cleanup_temporary_ char *dir = temporary_new();
    SyncState s;

    g_assert_cmpint(sync_read(dir, &s), ==, 0); /* RAID 0 has none of these files */
    g_assert_cmpint(s.action, ==, SYNC_NONE);
    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        set(dir, rows[i].action, rows[i].completed, rows[i].degraded);
        g_assert_cmpint(sync_read(dir, &s), ==, 0);
        g_assert_cmpint(s.action, ==, rows[i].wanted);
        g_assert_cmpint(s.percent, ==, rows[i].percent);
        g_assert_cmpuint(s.n_disks, ==, 2);
        g_assert_cmpuint(s.n_missing, ==, rows[i].n_missing);
    }
    g_assert_cmpint(sync_read("/nonexistent/md", &s), ==, -ENOENT);
}

typedef struct Change {
    const char *dir, *degraded;
    int inotify_fd;
} Change;

/* As soon as somebody has looked how far it is, it is through. */
static void *change(void *userdata) {
    const Change *c = userdata;
    char event[4096];

    g_assert_cmpint(read(c->inotify_fd, event, sizeof(event)), >, 0);
    set(c->dir, "idle\n", "none\n", c->degraded);
    return NULL;
}

static char *follow(const char *degraded) {
    _cleanup_temporary_ char *dir = temporary_new();
    _cleanup_close_ int fd = inotify_init1(IN_CLOEXEC);
    g_autofree char *path = g_build_filename(dir, "sync_completed", NULL);
    Change c = {.dir = dir, .degraded = degraded, .inotify_fd = fd};
    _cleanup_(reply_done) Reply reply = {};
    pthread_t thread;

    set(dir, "resync\n", "1 / 4\n", "0\n");
    g_assert_cmpint(inotify_add_watch(fd, path, IN_OPEN), >=, 0);
    g_assert_cmpint(pthread_create(&thread, NULL, change, &c), ==, 0);
    g_assert_cmpint(sync_follow_directory(dir, "/dev/md/data", &reply), ==, 0);
    g_assert_cmpint(pthread_join(thread, NULL), ==, 0);
    return g_strdup(reply.message);
}

static void test_follow(void) {
    g_autofree char *whole = follow("0\n"), *lost = follow("1\n");

    g_assert_cmpstr(whole, ==, "The array /dev/md/data is synchronised\n");
    g_assert_cmpstr(
        lost, ==,
        "The array /dev/md/data lacks 1 of its 2 disks: it has lost them while it was being "
        "synchronised\n");
}

static void test_nothing_to_follow(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    _cleanup_(reply_done) Reply reply = {};

    set(dir, "idle\n", "none\n", "1\n");
    g_assert_cmpint(sync_follow_directory(dir, "/dev/md/data", &reply), ==, 0);
    g_assert_cmpint(sync_follow("/nonexistent", &reply), ==, 0);
    g_assert_cmpint(sync_report("/nonexistent", &reply), ==, 0);
    g_assert_cmpint(sync_report("/dev/null", &reply), ==, 0);
    g_assert_null(reply.message);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/volume-sync/read", test_read);
    g_test_add_func("/volume-sync/follow", test_follow);
    g_test_add_func("/volume-sync/nothing-to-follow", test_nothing_to_follow);
    return g_test_run();
}
