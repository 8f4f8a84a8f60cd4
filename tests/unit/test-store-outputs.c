/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that the rows of kept output are the oldest first, that their sum is right through
 * rollbacks, removals and restarts, that they go with their requests, and that an older database
 * gets rows for what was kept before. */
#include <sqlite3.h>

#include "basic/bounds.h"
#include "store-fixture.h"
#include "store/job-row.h"
#include "store/output-row.h"

#define COMMITTED(f, call)                                                                         \
    do {                                                                                           \
        g_assert_cmpint(store_begin((f).store), ==, 0);                                            \
        g_assert_cmpint(call, ==, 0);                                                              \
        g_assert_cmpint(store_commit((f).store), ==, 0);                                           \
    } while (0)

static uint64_t sum_of(Store *s) {
    uint64_t bytes = 4711;

    g_assert_cmpint(store_sum_outputs(s, &bytes), ==, 0);
    return bytes;
}

typedef struct Seen {
    GString *guids;
    uint64_t bytes, age_usec;
    unsigned until; /* 0: all */
} Seen;

static int on_visit(const char *guid, uint64_t bytes, uint64_t age_usec, void *userdata) {
    Seen *seen = userdata;

    g_string_append(seen->guids, guid);
    seen->bytes += bytes;
    g_assert_true(seen->guids->len <= 1 || age_usec <= seen->age_usec); /* younger and younger */
    seen->age_usec = age_usec;
    return seen->until > 0 && seen->guids->len >= seen->until;
}

static void assert_rows(Store *s, unsigned limit, unsigned skip, unsigned until,
                        const char *expected) {
    g_autoptr(GString) guids = g_string_new(NULL);
    Seen seen = {.guids = guids, .until = until};

    g_assert_cmpint(store_visit_outputs(s, limit, skip, on_visit, &seen), ==, 0);
    g_assert_cmpstr(guids->str, ==, expected);
}

static int on_error(const char *guid, uint64_t bytes, uint64_t age_usec, void *userdata) {
    return -ENOMEM;
}

static void test_rows(void) {
    _cleanup_fixture_ Fixture f = {};

    fixture_init(&f);
    g_assert_cmpuint(sum_of(f.store), ==, 0);
    for (unsigned i = 0; i < 5; i++)
        COMMITTED(f, store_add_output(f.store, (const char *const[]){"b", "a", "e", "d", "c"}[i],
                                      (uint64_t)1 << i));
    COMMITTED(f, store_add_output(f.store, "a", 1000)); /* it has one */
    g_assert_cmpuint(sum_of(f.store), ==, 31);
    assert_rows(f.store, 100, 0, 0, "baedc");
    assert_rows(f.store, 2, 0, 0, "ba");
    assert_rows(f.store, 2, 3, 0, "dc");
    assert_rows(f.store, 100, 0, 3, "bae");
    g_assert_cmpint(store_visit_outputs(f.store, 9, 0, on_error, NULL), ==, -ENOMEM);
    COMMITTED(f, store_remove_output(f.store, "e"));
    COMMITTED(f, store_remove_output(f.store, "none"));
    g_assert_cmpuint(sum_of(f.store), ==, 27);
    reopen(&f);
    g_assert_cmpuint(sum_of(f.store), ==, 27);
    assert_rows(f.store, 100, 0, 0, "badc");
    g_assert_cmpint(store_add_output(f.store, "x", 1), ==, -EINVAL); /* no transaction */
}

static void test_rollback(void) {
    _cleanup_fixture_ Fixture f = {};

    fixture_init(&f);
    COMMITTED(f, store_add_output(f.store, "a", 1));
    g_assert_cmpuint(sum_of(f.store), ==, 1);
    g_assert_cmpint(store_begin(f.store), ==, 0);
    g_assert_cmpint(store_add_output(f.store, "b", 2), ==, 0);
    g_assert_cmpint(store_remove_output(f.store, "a"), ==, 0);
    g_assert_cmpuint(sum_of(f.store), ==, 2);
    store_rollback(f.store);
    g_assert_cmpuint(sum_of(f.store), ==, 1);
    assert_rows(f.store, 9, 0, 0, "a");
}

/* Only where the request goes. */
static void test_goes_with_its_request(void) {
    _cleanup_fixture_ Fixture f = {};

    fixture_init(&f);
    insert_committed(f.store, "a", REQUEST_STATE_REPLY_ACKED);
    insert_committed(f.store, "b", REQUEST_STATE_REPLY);
    COMMITTED(f, store_add_output(f.store, "a", 1));
    COMMITTED(f, store_add_output(f.store, "b", 2));
    COMMITTED(f, store_remove_request(f.store, "a"));
    COMMITTED(f, store_remove_request(f.store, "b"));
    assert_rows(f.store, 9, 0, 0, "b");
    g_assert_cmpuint(sum_of(f.store), ==, 2);
}

static void count(void *userdata) {
    ++*(unsigned *)userdata;
}

static void test_callback(void) {
    _cleanup_fixture_ Fixture f = {};
    unsigned n = 0;

    fixture_init(&f);
    store_set_on_output(f.store, count, &n);
    COMMITTED(f, store_add_output(f.store, "a", 1));
    COMMITTED(f, store_add_output(f.store, "a", 1));
    g_assert_cmpuint(n, ==, 1);
    store_set_on_output(f.store, NULL, NULL);
    COMMITTED(f, store_add_output(f.store, "b", 1));
    g_assert_cmpuint(n, ==, 1);
}

/* As the version before left it: of jobs that are answered and have ended there are rows. */
static void test_migration(void) {
    StoredJob job = {
        .guid = (char[]){"long"}, .command = (char[]){"run_script"}, .payload = (char[]){"{}"}};
    _cleanup_fixture_ Fixture f = {};
    sqlite3 *db = NULL;
    int64_t id;

    fixture_init(&f);
    insert_committed(f.store, "a", REQUEST_STATE_REPLY_ACKED);
    insert_committed(f.store, "b", REQUEST_STATE_ACKED);
    insert_committed(f.store, "c", REQUEST_STATE_REPLY);
    insert_committed(f.store, "d", REQUEST_STATE_NACKED);
    insert_committed(f.store, "long", REQUEST_STATE_REPLY_ACKED);
    COMMITTED(f, store_insert_job(f.store, &job, &id));
    f.store = store_close(f.store);
    g_assert_cmpint(sqlite3_open(f.path, &db), ==, SQLITE_OK);
    g_assert_cmpint(
        sqlite3_exec(
            db,
            "DROP TABLE alerts; DROP TABLE alert_totals; DROP TABLE stats; DROP TABLE users;"
            "DROP TABLE outputs; ALTER TABLE requests DROP COLUMN replied;"
            "ALTER TABLE requests DROP COLUMN return_code; PRAGMA user_version = 2",
            NULL, NULL, NULL),
        ==, SQLITE_OK);
    sqlite3_close(db);
    g_assert_cmpint(store_open(f.path, &f.store), ==, 0);
    assert_rows(f.store, 9, 0, 0, "ac");
    g_assert_cmpuint(sum_of(f.store), ==, 0);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store-outputs/rows", test_rows);
    g_test_add_func("/store-outputs/rollback", test_rollback);
    g_test_add_func("/store-outputs/goes-with-its-request", test_goes_with_its_request);
    g_test_add_func("/store-outputs/callback", test_callback);
    g_test_add_func("/store-outputs/migration", test_migration);
    return g_test_run();
}
