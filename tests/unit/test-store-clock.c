/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that retention counts running time: a wall clock that jumps by years, also over a restart
 * or a reboot, neither removes a row nor keeps one. This program has a clock of its own. */
#include <glib.h>
#include <sys/syscall.h>

#include "basic/bounds.h"
#include "store/request-row.h"
#include "temporary.h"

#define DAY_SEC 86400
#define DAY_USEC (DAY_SEC * USEC_PER_SEC)
#define JUMP_SEC ((time_t)20 * 365 * DAY_SEC)

static time_t wall_offset, boot_offset;

/* Instead of libc's. */
int clock_gettime(clockid_t clock, struct timespec *ret) {
    if (syscall(SYS_clock_gettime, clock, ret) < 0)
        return -1;
    if (clock == CLOCK_REALTIME)
        ret->tv_sec += wall_offset;
    else if (clock == CLOCK_BOOTTIME)
        ret->tv_sec += boot_offset;
    return 0;
}

typedef struct Fixture {
    char *dir, *path;
    Store *store;
} Fixture;

static void fixture_done(Fixture *f) {
    store_close(f->store);
    g_free(f->path);
    temporary_remove(&f->dir);
    wall_offset = boot_offset = 0;
}
#define _cleanup_fixture_ _cleanup_(fixture_done)

static void fixture_init(Fixture *f) {
    f->dir = temporary_new();
    f->path = g_build_filename(f->dir, "agent.db", NULL);
    g_assert_cmpint(store_open(f->path, &f->store), ==, 0);
}

static void insert(Store *s, const char *guid) {
    StoredRequest r = {.guid = (char *)(uintptr_t)guid,
                       .command = (char[]){"heartbeat"},
                       .state = REQUEST_STATE_REPLY_ACKED};

    g_assert_cmpint(store_begin(s), ==, 0);
    g_assert_cmpint(store_insert_request(s, &r), ==, 0);
    g_assert_cmpint(store_commit(s), ==, 0);
}

static int remove_one(const char *guid, void *userdata) {
    return store_remove_request(userdata, guid);
}

/* After the sweep for a day. */
static bool is_kept(Store *s, const char *guid) {
    _cleanup_(stored_request_done) StoredRequest row = {};
    int r;

    g_assert_cmpint(store_begin(s), ==, 0);
    g_assert_cmpint(store_visit_expired(s, DAY_USEC, 100, 0, remove_one, s), ==, 0);
    g_assert_cmpint(store_note_running(s), ==, 0);
    g_assert_cmpint(store_commit(s), ==, 0);
    r = store_load_request(s, guid, false, &row);
    g_assert_true(r == 0 || r == -ENOENT);
    return r == 0;
}

static void test_jump(gconstpointer data) {
    const time_t *jump = data;
    _cleanup_fixture_ Fixture f = {};

    fixture_init(&f);
    insert(f.store, "old");
    wall_offset += *jump;
    g_assert_true(is_kept(f.store, "old"));
    insert(f.store, "new");
    wall_offset -= *jump;
    boot_offset += DAY_SEC / 2;
    g_assert_true(is_kept(f.store, "old"));
    wall_offset -= *jump;
    boot_offset += DAY_SEC / 2 + 1;
    g_assert_false(is_kept(f.store, "old"));
    g_assert_false(is_kept(f.store, "new"));
}

static void test_jump_over_a_reboot(gconstpointer data) {
    const time_t *jump = data;
    _cleanup_fixture_ Fixture f = {};

    fixture_init(&f);
    boot_offset = 10 * DAY_SEC;
    insert(f.store, "g");
    g_assert_true(is_kept(f.store, "g")); /* notes the time */
    f.store = store_close(f.store);

    wall_offset += *jump;
    boot_offset = 0;
    g_assert_cmpint(store_open(f.path, &f.store), ==, 0);
    g_assert_true(is_kept(f.store, "g"));
    boot_offset += DAY_SEC / 2;
    g_assert_true(is_kept(f.store, "g"));
    boot_offset += DAY_SEC / 2 + 1;
    g_assert_false(is_kept(f.store, "g"));
}

int main(int argc, char **argv) {
    static const time_t forward = JUMP_SEC, back = -JUMP_SEC;

    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/store-clock/forward", &forward, test_jump);
    g_test_add_data_func("/store-clock/back", &back, test_jump);
    g_test_add_data_func("/store-clock/reboot-forward", &forward, test_jump_over_a_reboot);
    g_test_add_data_func("/store-clock/reboot-back", &back, test_jump_over_a_reboot);
    return g_test_run();
}
