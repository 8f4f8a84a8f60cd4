/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that what was committed is there after any end of the process and nothing else is, and
 * that a second process, damage and a newer version each give their own error and lose nothing. */
#include <sqlite3.h>

#include "store-fixture.h"
#include "store/repair.h"

static void test_mode(void) {
    _cleanup_fixture_ Fixture f = {};
    g_autofree char *wal = NULL, *link = NULL;
    Store *s = NULL;
    mode_t mask = umask(0);

    fixture_init(&f);
    insert_committed(f.store, "g", REQUEST_STATE_ACKED);
    umask(mask);
    wal = g_strconcat(f.path, "-wal", NULL);
    g_assert_cmpint(temporary_mode(f.path), ==, 0600);
    g_assert_cmpint(temporary_mode(wal), ==, 0600);

    link = g_build_filename(f.dir, "link", NULL);
    g_assert_cmpint(symlink(f.path, link), ==, 0);
    g_assert_cmpint(store_open(link, &s), ==, -ELOOP);
    g_assert_cmpint(store_open("/nonexistent/agent.db", &s), ==, -ENOENT);
    g_assert_null(s);
}

static void test_reopen(void) {
    _cleanup_fixture_ Fixture f = {};

    fixture_init(&f);
    for (unsigned i = 0; i < 3; i++) {
        insert_committed(f.store, i == 0 ? "a" : i == 1 ? "b" : "c", REQUEST_STATE_ACKED);
        g_assert_cmpint(store_begin(f.store), ==, 0);
        g_assert_cmpint(insert(f.store, "open", REQUEST_STATE_ACKED, NULL, NULL), ==, 0);
        reopen(&f);
        g_assert_false(exists(f.store, "open"));
    }
    g_assert_true(exists(f.store, "a") && exists(f.store, "b") && exists(f.store, "c"));
}

/* --- other processes: this program again, as `test-store-file --MODE PATH`
 * ------------------------- */

static int run_other(const char *mode, const char *path) {
    char *argv[] = {(char[]){"/proc/self/exe"}, (char *)(uintptr_t)mode, (char *)(uintptr_t)path,
                    NULL};
    int status = 0;

    g_assert_true(
        g_spawn_sync(NULL, argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, NULL, NULL, &status, NULL));
    g_assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int other_main(const char *mode, const char *path) {
    Store *s = NULL;
    int r = store_open(path, &s);

    if (r < 0)
        return -r;
    if (streq(mode, "--crash")) {
        insert_committed(s, "committed", REQUEST_STATE_ACKED);
        g_assert_cmpint(store_begin(s), ==, 0);
        g_assert_cmpint(insert(s, "open", REQUEST_STATE_ACKED, NULL, NULL), ==, 0);
        _exit(0);
    }
    store_close(s);
    return 0;
}

static void test_exclusive(void) {
    _cleanup_fixture_ Fixture f = {};

    fixture_init(&f);
    g_assert_cmpint(run_other("--open", f.path), ==, EBUSY);
    insert_committed(f.store, "g", REQUEST_STATE_ACKED);
    g_assert_cmpint(run_other("--open", f.path), ==, EBUSY);
    f.store = store_close(f.store);
    g_assert_cmpint(run_other("--open", f.path), ==, 0);
}

static void test_crash(void) {
    _cleanup_fixture_ Fixture f = {};

    fixture_init(&f);
    f.store = store_close(f.store);
    g_assert_cmpint(run_other("--crash", f.path), ==, 0);
    g_assert_cmpint(store_open(f.path, &f.store), ==, 0);
    g_assert_true(exists(f.store, "committed"));
    g_assert_false(exists(f.store, "open"));
}

/* --- damage ----------------------------------------------------------------------------------- */

static void set_aside_and_start_anew(Fixture *f, const char *content, size_t size) {
    _cleanup_free_ char *name = NULL;
    g_autofree char *kept = NULL;
    gsize kept_size = 0;

    g_assert_cmpint(store_set_aside(f->path, &name), ==, 0);
    g_assert_true(g_str_has_prefix(name, f->path));
    g_assert_nonnull(strstr(name, ".damaged-"));
    g_assert_true(g_file_get_contents(name, &kept, &kept_size, NULL));
    g_assert_cmpmem(kept, kept_size, content, size);
    g_assert_cmpint(access(f->path, F_OK), ==, -1);
    g_assert_cmpint(store_open(f->path, &f->store), ==, 0);
    insert_committed(f->store, "new", REQUEST_STATE_ACKED);
}

static void test_not_a_database(void) {
    _cleanup_fixture_ Fixture f = {};
    g_autofree char *junk = g_strnfill(10000, 'j');

    fixture_init(&f);
    f.store = store_close(f.store);
    temporary_write(f.dir, "agent.db", junk, 10000);
    g_assert_cmpint(store_open(f.path, &f.store), ==, -EUCLEAN);
    g_assert_null(f.store);
    set_aside_and_start_anew(&f, junk, 10000);
}

static int visit_nothing(const StoredRequest *r, void *userdata) {
    return 0;
}

/* The first page is whole, so that it opens; the damage is found when it is read. */
static void test_damaged_pages(void) {
    _cleanup_fixture_ Fixture f = {};
    g_autofree char *content = NULL;
    gsize size = 0;
    int r;

    fixture_init(&f);
    g_assert_cmpint(store_begin(f.store), ==, 0);
    for (unsigned i = 0; i < 200; i++) {
        g_autofree char *guid = g_strdup_printf("guid-%u", i);

        g_assert_cmpint(insert(f.store, guid, REQUEST_STATE_ACKED, "agent-1", "{}"), ==, 0);
    }
    g_assert_cmpint(store_commit(f.store), ==, 0);
    f.store = store_close(f.store);
    g_assert_true(g_file_get_contents(f.path, &content, &size, NULL));
    g_assert_cmpuint(size, >, 16384);
    memset(content + 4096, 0xa5, size - 4096);
    temporary_write(f.dir, "agent.db", content, size);

    r = store_open(f.path, &f.store);
    if (r == 0)
        r = store_visit_newest(f.store, 1000, visit_nothing, NULL);
    g_assert_cmpint(r, ==, -EUCLEAN);
    f.store = store_close(f.store);
    set_aside_and_start_anew(&f, content, size);
}

static void test_set_aside_nothing(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    g_autofree char *path = g_build_filename(dir, "none", NULL);
    char *name = NULL;

    g_assert_cmpint(store_set_aside(path, &name), ==, -ENOENT);
    g_assert_null(name);
}

static void run_sql(const char *path, const char *text) {
    sqlite3 *db = NULL;

    g_assert_cmpint(sqlite3_open(path, &db), ==, SQLITE_OK);
    g_assert_cmpint(sqlite3_exec(db, text, NULL, NULL, NULL), ==, SQLITE_OK);
    g_assert_cmpint(sqlite3_close(db), ==, SQLITE_OK);
}

static void test_newer_version(void) {
    _cleanup_fixture_ Fixture f = {};

    fixture_init(&f);
    insert_committed(f.store, "g", REQUEST_STATE_ACKED);
    f.store = store_close(f.store);
    run_sql(f.path, "PRAGMA user_version = 1000");
    g_assert_cmpint(store_open(f.path, &f.store), ==, -EPROTONOSUPPORT);
    /* migrates again */
    run_sql(f.path, "DROP TABLE jobs; DROP TABLE outputs; DROP TABLE users; DROP TABLE stats");
    run_sql(f.path, "DROP TABLE alerts; DROP TABLE alert_totals");
    run_sql(f.path, "ALTER TABLE requests DROP COLUMN replied");
    run_sql(f.path, "ALTER TABLE requests DROP COLUMN return_code");
    run_sql(f.path, "PRAGMA user_version = 1");
    reopen(&f);
    g_assert_true(exists(f.store, "g"));
}

/* As after a bit of the first page has changed. */
static void test_wrong_version(void) {
    static const char *const versions[] = {"PRAGMA user_version = -2147483642",
                                           "PRAGMA user_version = 2"};

    for (size_t i = 0; i < ELEMENTSOF(versions); i++) {
        _cleanup_fixture_ Fixture f = {};

        fixture_init(&f);
        f.store = store_close(f.store);
        run_sql(f.path, versions[i]);
        g_assert_cmpint(store_open(f.path, &f.store), ==, -EUCLEAN);
    }
}

static void test_unknown_state(void) {
    _cleanup_fixture_ Fixture f = {};
    _cleanup_(stored_request_done) StoredRequest row = {};
    unsigned counts[_REQUEST_STATE_MAX];

    fixture_init(&f);
    insert_committed(f.store, "g", REQUEST_STATE_ACKED);
    f.store = store_close(f.store);
    run_sql(f.path, "UPDATE requests SET state = 'FROBBED'");
    reopen(&f);
    g_assert_cmpint(store_load_request(f.store, "g", true, &row), ==, -EUCLEAN);
    g_assert_cmpint(store_count_requests(f.store, counts), ==, 0);
}

/* What fails in the middle of a fact's own transaction leaves none open. */
static void test_fact_that_cannot_be_stored(void) {
    _cleanup_fixture_ Fixture f = {};
    g_autofree char *value = NULL;

    fixture_init(&f);
    g_assert_cmpint(store_set_fact(f.store, STORE_META_TERMINATING, "strict x"), ==, 0);
    f.store = store_close(f.store);
    run_sql(f.path, "CREATE TRIGGER no BEFORE INSERT ON meta BEGIN SELECT RAISE(FAIL, 'no'); END");
    g_assert_cmpint(store_open(f.path, &f.store), ==, 0);
    g_assert_cmpint(store_set_fact(f.store, STORE_META_TERMINATING, ""), <, 0);
    g_assert_false(store_in_transaction(f.store));
    g_assert_cmpint(store_begin(f.store), ==, 0);
    store_rollback(f.store);
    g_assert_cmpint(store_get_meta(f.store, STORE_META_TERMINATING, &value), ==, 0);
    g_assert_cmpstr(value, ==, "strict x");
}

int main(int argc, char **argv) {
    if (argc == 3 && (streq(argv[1], "--open") || streq(argv[1], "--crash")))
        return other_main(argv[1], argv[2]);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store-file/mode", test_mode);
    g_test_add_func("/store-file/reopen", test_reopen);
    g_test_add_func("/store-file/exclusive", test_exclusive);
    g_test_add_func("/store-file/crash", test_crash);
    g_test_add_func("/store-file/not-a-database", test_not_a_database);
    g_test_add_func("/store-file/damaged-pages", test_damaged_pages);
    g_test_add_func("/store-file/set-aside-nothing", test_set_aside_nothing);
    g_test_add_func("/store-file/newer-version", test_newer_version);
    g_test_add_func("/store-file/wrong-version", test_wrong_version);
    g_test_add_func("/store-file/unknown-state", test_unknown_state);
    g_test_add_func("/store-file/fact", test_fact_that_cannot_be_stored);
    return g_test_run();
}
