/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that what was committed is there after any end of the process, that nothing else is, and
 * that damage, a full disk, a second process and a newer version each give their own error and lose
 * nothing. */
#include <glib.h>
#include <sched.h>
#include <sqlite3.h>
#include <sys/mount.h>

#include "basic/bounds.h"
#include "store/repair.h"
#include "store/request-row.h"
#include "store/schema.h"
#include "temporary.h"

#define HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

typedef struct Fixture {
    char *dir, *path;
    Store *store;
} Fixture;

static void fixture_done(Fixture *f) {
    store_close(f->store);
    g_free(f->path);
    temporary_remove(&f->dir);
}
#define _cleanup_fixture_ _cleanup_(fixture_done)

static void fixture_init(Fixture *f) {
    f->dir = temporary_new();
    f->path = g_build_filename(f->dir, "agent.db", NULL);
    g_assert_cmpint(store_open(f->path, &f->store), ==, 0);
}

static void reopen(Fixture *f) {
    f->store = store_close(f->store);
    g_assert_cmpint(store_open(f->path, &f->store), ==, 0);
}

static int insert(Store *s, const char *guid, RequestState state, const char *agent_id,
                  const char *payload) {
    StoredRequest r = {.guid = (char *)(uintptr_t)guid,
                       .agent_id = (char *)(uintptr_t)agent_id,
                       .command = (char[]){"run_script"},
                       .state = state,
                       .payload = (char *)(uintptr_t)payload,
                       .payload_sha256 = HASH,
                       .accepted_usec = 1700000000000001};

    return store_insert_request(s, &r);
}

static void insert_committed(Store *s, const char *guid, RequestState state) {
    g_assert_cmpint(store_begin(s), ==, 0);
    g_assert_cmpint(insert(s, guid, state, "agent-1", "{}"), ==, 0);
    g_assert_cmpint(store_commit(s), ==, 0);
}

static bool exists(Store *s, const char *guid) {
    _cleanup_(stored_request_done) StoredRequest row = {};
    int r = store_load_request(s, guid, true, &row);

    g_assert_true(r == 0 || r == -ENOENT);
    return r == 0;
}

static RequestState state_of(Store *s, const char *guid) {
    _cleanup_(stored_request_done) StoredRequest row = {};

    g_assert_cmpint(store_load_request(s, guid, false, &row), ==, 0);
    return row.state;
}

static void test_request(void) {
    _cleanup_fixture_ Fixture f = {};
    _cleanup_(stored_request_done) StoredRequest small = {}, full = {}, replied = {}, none = {};

    fixture_init(&f);
    g_assert_cmpint(store_begin(f.store), ==, 0);
    g_assert_cmpint(insert(f.store, "g'1", REQUEST_STATE_ACKED, "agent-1", "{\"a\":\"\xc3\xa4\"}"),
                    ==, 0);
    g_assert_cmpint(store_commit(f.store), ==, 0);

    g_assert_cmpint(store_load_request(f.store, "g'1", false, &small), ==, 0);
    g_assert_null(small.payload);
    g_assert_cmpint(store_load_request(f.store, "g'1", true, &full), ==, 0);
    g_assert_cmpstr(full.guid, ==, "g'1");
    g_assert_cmpstr(full.agent_id, ==, "agent-1");
    g_assert_cmpstr(full.command, ==, "run_script");
    g_assert_cmpint(full.state, ==, REQUEST_STATE_ACKED);
    g_assert_cmpstr(full.payload, ==, "{\"a\":\"\xc3\xa4\"}");
    g_assert_cmpstr(full.payload_sha256, ==, HASH);
    g_assert_cmpuint(full.accepted_usec, ==, 1700000000000001);
    g_assert_null(full.reply);
    g_assert_null(full.error_message);
    g_assert_cmpint(store_load_request(f.store, "G'1", true, &none), ==, -ENOENT);

    g_assert_cmpint(store_begin(f.store), ==, 0);
    g_assert_cmpint(store_set_reply(f.store, "g'1", "{\"return_code\":0}"), ==, 0);
    g_assert_cmpint(store_set_reply(f.store, "other", "{}"), ==, -ENOENT);
    g_assert_cmpint(
        store_set_state(f.store, "other", REQUEST_STATE_REPLY, REQUEST_STATE_REPLY_ACKED), ==,
        -ENOENT);
    g_assert_cmpint(store_set_state(f.store, "g'1", REQUEST_STATE_ACKED, REQUEST_STATE_REPLY_ACKED),
                    ==, -ENOENT);
    g_assert_cmpint(store_set_reply(f.store, "g'1", "{}"), ==, -ENOENT);
    g_assert_cmpint(store_commit(f.store), ==, 0);
    g_assert_cmpint(store_load_request(f.store, "g'1", true, &replied), ==, 0);
    g_assert_cmpint(replied.state, ==, REQUEST_STATE_REPLY);
    g_assert_cmpstr(replied.reply, ==, "{\"return_code\":0}");
    g_assert_null(replied.payload);
    g_assert_cmpuint(replied.changed_usec, >, replied.accepted_usec);
}

static void test_exists(void) {
    _cleanup_fixture_ Fixture f = {};

    fixture_init(&f);
    insert_committed(f.store, "g", REQUEST_STATE_ACKED);
    g_assert_cmpint(store_begin(f.store), ==, 0);
    g_assert_cmpint(insert(f.store, "g", REQUEST_STATE_NACKED, NULL, NULL), ==, -EEXIST);
    g_assert_cmpint(insert(f.store, "h", REQUEST_STATE_NACKED, NULL, NULL), ==, 0);
    g_assert_cmpint(store_commit(f.store), ==, 0);
    g_assert_cmpint(state_of(f.store, "g"), ==, REQUEST_STATE_ACKED);
    g_assert_true(exists(f.store, "h"));
}

static void test_transactions(void) {
    _cleanup_fixture_ Fixture f = {};

    fixture_init(&f);
    insert_committed(f.store, "g", REQUEST_STATE_ACKED);
    g_assert_cmpint(insert(f.store, "x", REQUEST_STATE_ACKED, NULL, NULL), ==, -EINVAL);
    g_assert_cmpint(store_set_reply(f.store, "g", "{}"), ==, -EINVAL);
    g_assert_cmpint(store_set_state(f.store, "g", REQUEST_STATE_ACKED, REQUEST_STATE_REPLY), ==,
                    -EINVAL);
    g_assert_cmpint(store_set_meta(f.store, "k", "v"), ==, -EINVAL);
    g_assert_cmpint(store_drop_foreign_replies(f.store, "a"), ==, -EINVAL);
    g_assert_cmpint(store_remove_request(f.store, "g"), ==, -EINVAL);
    g_assert_cmpint(store_note_running(f.store), ==, -EINVAL);
    g_assert_cmpint(store_commit(f.store), ==, -EINVAL);
    g_assert_false(exists(f.store, "x"));

    g_assert_cmpint(store_begin(f.store), ==, 0);
    g_assert_cmpint(store_begin(f.store), ==, -EINVAL);
    g_assert_true(store_in_transaction(f.store));
    g_assert_cmpint(insert(f.store, "x", REQUEST_STATE_ACKED, NULL, NULL), ==, 0);
    g_assert_cmpint(store_set_state(f.store, "g", REQUEST_STATE_ACKED, REQUEST_STATE_REPLY_ACKED),
                    ==, 0);
    g_assert_true(exists(f.store, "x"));
    store_rollback(f.store);
    g_assert_false(store_in_transaction(f.store));
    g_assert_false(exists(f.store, "x"));
    g_assert_cmpint(state_of(f.store, "g"), ==, REQUEST_STATE_ACKED);
    store_rollback(f.store); /* none: nothing happens */
}

static int append_guid(const StoredRequest *r, void *userdata) {
    g_string_append_printf(userdata, "%s ", r->guid);
    g_assert_null(r->payload);
    return streq(r->guid, "stop") ? -ECANCELED : 0;
}

static void test_list(void) {
    static const struct {
        unsigned limit;
        const char *guids;
    } cases[] = {{100, "g0 g1 g2 g3 g4 g5 g6 "}, {2, "g5 g6 "}, {0, ""}};
    _cleanup_fixture_ Fixture f = {};
    g_autoptr(GString) open = g_string_new(NULL), stopped = g_string_new(NULL);

    fixture_init(&f);
    for (unsigned i = 0; i < _REQUEST_STATE_MAX; i++) {
        g_autofree char *guid = g_strdup_printf("g%u", i);

        insert_committed(f.store, guid, (RequestState)i);
    }
    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        g_autoptr(GString) guids = g_string_new(NULL);

        g_assert_cmpint(store_visit_newest(f.store, cases[i].limit, append_guid, guids), ==, 0);
        g_assert_cmpstr(guids->str, ==, cases[i].guids);
    }
    g_assert_cmpint(store_visit_open(f.store, append_guid, open), ==, 0);
    g_assert_cmpstr(open->str, ==, "g2 g3 ");
    insert_committed(f.store, "stop", REQUEST_STATE_REPLY);
    insert_committed(f.store, "z", REQUEST_STATE_REPLY);
    g_assert_cmpint(store_visit_open(f.store, append_guid, stopped), ==, -ECANCELED);
    g_assert_cmpstr(stopped->str, ==, "g2 g3 stop ");
}

static void assert_counts(Store *s, unsigned acked, unsigned reply, unsigned reply_acked,
                          unsigned reply_nacked) {
    unsigned counts[_REQUEST_STATE_MAX];

    g_assert_cmpint(store_count_requests(s, counts), ==, 0);
    g_assert_cmpuint(counts[REQUEST_STATE_ACKED], ==, acked);
    g_assert_cmpuint(counts[REQUEST_STATE_REPLY], ==, reply);
    g_assert_cmpuint(counts[REQUEST_STATE_REPLY_ACKED], ==, reply_acked);
    g_assert_cmpuint(counts[REQUEST_STATE_REPLY_NACKED], ==, reply_nacked);
}

/* They are kept up with each change, so each kind of change, and a rollback, is tried. */
static void test_counts(void) {
    _cleanup_fixture_ Fixture f = {};

    fixture_init(&f);
    assert_counts(f.store, 0, 0, 0, 0);
    insert_committed(f.store, "1", REQUEST_STATE_ACKED);
    insert_committed(f.store, "2", REQUEST_STATE_ACKED);
    insert_committed(f.store, "3", REQUEST_STATE_ACKED);
    assert_counts(f.store, 3, 0, 0, 0);
    g_assert_cmpint(store_begin(f.store), ==, 0);
    g_assert_cmpint(store_set_reply(f.store, "1", "{}"), ==, 0);
    assert_counts(f.store, 2, 1, 0, 0);
    store_rollback(f.store);
    assert_counts(f.store, 3, 0, 0, 0);
    g_assert_cmpint(store_begin(f.store), ==, 0);
    g_assert_cmpint(store_set_reply(f.store, "1", "{}"), ==, 0);
    g_assert_cmpint(store_set_reply(f.store, "none", "{}"), ==, -ENOENT);
    g_assert_cmpint(store_set_state(f.store, "1", REQUEST_STATE_REPLY, REQUEST_STATE_REPLY_ACKED),
                    ==, 0);
    g_assert_cmpint(store_drop_foreign_replies(f.store, "other"), ==, 0);
    g_assert_cmpint(store_commit(f.store), ==, 0);
    assert_counts(f.store, 0, 0, 1, 2);
    g_assert_cmpint(store_begin(f.store), ==, 0);
    g_assert_cmpint(store_remove_request(f.store, "1"), ==, 0);
    g_assert_cmpint(store_commit(f.store), ==, 0);
    assert_counts(f.store, 0, 0, 0, 2);
    reopen(&f);
    assert_counts(f.store, 0, 0, 0, 2);
}

static void test_empty(void) {
    _cleanup_fixture_ Fixture f = {};
    g_autoptr(GString) guids = g_string_new(NULL);
    unsigned counts[_REQUEST_STATE_MAX];

    fixture_init(&f);
    g_assert_false(exists(f.store, "g"));
    g_assert_cmpint(store_begin(f.store), ==, 0);
    g_assert_cmpint(store_remove_request(f.store, "g"), ==, 0);
    g_assert_cmpint(store_drop_foreign_replies(f.store, "agent-1"), ==, 0);
    g_assert_cmpint(store_commit(f.store), ==, 0);
    g_assert_cmpint(store_visit_newest(f.store, 100, append_guid, guids), ==, 0);
    g_assert_cmpint(store_visit_open(f.store, append_guid, guids), ==, 0);
    g_assert_cmpstr(guids->str, ==, "");
    g_assert_cmpint(store_count_requests(f.store, counts), ==, 0);
    for (unsigned i = 0; i < _REQUEST_STATE_MAX; i++)
        g_assert_cmpuint(counts[i], ==, 0);
}

static void test_foreign(void) {
    static const struct {
        const char *guid, *agent_id;
        RequestState before, after;
    } rows[] = {
        {"1", "a", REQUEST_STATE_REPLY, REQUEST_STATE_REPLY},
        {"2", "b", REQUEST_STATE_REPLY, REQUEST_STATE_REPLY_NACKED},
        {"3", NULL, REQUEST_STATE_REPLY, REQUEST_STATE_REPLY_NACKED},
        {"4", "b", REQUEST_STATE_ACKED, REQUEST_STATE_REPLY_NACKED},
        {"5", "b", REQUEST_STATE_REPLY_ACKED, REQUEST_STATE_REPLY_ACKED},
        {"6", "b", REQUEST_STATE_NACKED, REQUEST_STATE_NACKED},
        {"7", "a", REQUEST_STATE_ACKED, REQUEST_STATE_ACKED},
    };
    _cleanup_fixture_ Fixture f = {};

    fixture_init(&f);
    g_assert_cmpint(store_begin(f.store), ==, 0);
    for (size_t i = 0; i < ELEMENTSOF(rows); i++)
        g_assert_cmpint(insert(f.store, rows[i].guid, rows[i].before, rows[i].agent_id, "{}"), ==,
                        0);
    g_assert_cmpint(store_drop_foreign_replies(f.store, "a"), ==, 0);
    g_assert_cmpint(store_commit(f.store), ==, 0);
    for (size_t i = 0; i < ELEMENTSOF(rows); i++)
        g_assert_cmpint(state_of(f.store, rows[i].guid), ==, rows[i].after);
}

static void test_meta(void) {
    _cleanup_fixture_ Fixture f = {};
    _cleanup_free_ char *none = NULL, *value = NULL;

    fixture_init(&f);
    g_assert_cmpint(store_get_meta(f.store, "k", &none), ==, 0);
    g_assert_null(none);
    g_assert_cmpint(store_begin(f.store), ==, 0);
    g_assert_cmpint(store_set_meta(f.store, "k", "first"), ==, 0);
    g_assert_cmpint(store_set_meta(f.store, "k", "second"), ==, 0);
    g_assert_cmpint(store_commit(f.store), ==, 0);
    reopen(&f);
    g_assert_cmpint(store_get_meta(f.store, "k", &value), ==, 0);
    g_assert_cmpstr(value, ==, "second");
}

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

/* --- other processes: this program again, as `test-store --MODE PATH` ------------------------- */

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
    run_sql(f.path, "DROP TABLE jobs; PRAGMA user_version = 1"); /* migrates again */
    reopen(&f);
    g_assert_true(exists(f.store, "g"));
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

/* --- retention -------------------------------------------------------------------------------- */

static int take_guid(const char *guid, void *userdata) {
    g_ptr_array_add(userdata, g_strdup(guid));
    return 0;
}

/* In slices of two; what was removed before does not come again. */
static void expire(Store *s, uint64_t older_than_usec) {
    unsigned n;

    do {
        g_autoptr(GPtrArray) guids = g_ptr_array_new_with_free_func(g_free);

        g_assert_cmpint(store_visit_expired(s, older_than_usec, 2, 0, take_guid, guids), ==, 0);
        n = guids->len;
        g_assert_cmpuint(n, <=, 2);
        g_assert_cmpint(store_begin(s), ==, 0);
        for (unsigned i = 0; i < n; i++)
            g_assert_cmpint(store_remove_request(s, g_ptr_array_index(guids, i)), ==, 0);
        g_assert_cmpint(store_note_running(s), ==, 0);
        g_assert_cmpint(store_commit(s), ==, 0);
    } while (n > 0);
}

static uint64_t running_time(Store *s) {
    _cleanup_free_ char *text = NULL;

    expire(s, UINT64_MAX); /* only notes the time */
    g_assert_cmpint(store_get_meta(s, STORE_META_RUNNING, &text), ==, 0);
    return g_ascii_strtoull(text, NULL, 10);
}

/* As if the machine had run that long in another boot. */
static void let_time_pass(Fixture *f, uint64_t usec) {
    g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, running_time(f->store) + usec);

    g_assert_cmpint(store_begin(f->store), ==, 0);
    g_assert_cmpint(store_set_meta(f->store, STORE_META_RUNNING, text), ==, 0);
    g_assert_cmpint(store_commit(f->store), ==, 0);
    reopen(f);
    g_assert_cmpuint(running_time(f->store), >=, g_ascii_strtoull(text, NULL, 10));
}

static void test_retention(void) {
    const uint64_t day = 86400 * USEC_PER_SEC;
    _cleanup_fixture_ Fixture f = {};

    fixture_init(&f);
    for (unsigned i = 0; i < _REQUEST_STATE_MAX; i++)
        insert_committed(f.store, request_state_to_string((RequestState)i), (RequestState)i);
    let_time_pass(&f, day / 2);
    insert_committed(f.store, "young", REQUEST_STATE_NACKED);
    g_assert_cmpint(store_begin(f.store), ==, 0);
    g_assert_cmpint(store_set_state(f.store, "REPLY_NACKED", REQUEST_STATE_REPLY_NACKED,
                                    REQUEST_STATE_REPLY_NACKED),
                    ==, 0);
    g_assert_cmpint(store_commit(f.store), ==, 0);

    /* all rows were accepted years ago by the wall clock, none by running time */
    expire(f.store, day);
    for (unsigned i = 0; i < _REQUEST_STATE_MAX; i++)
        g_assert_true(exists(f.store, request_state_to_string((RequestState)i)));

    let_time_pass(&f, day * 3 / 4);
    expire(f.store, day);
    for (unsigned i = 0; i < _REQUEST_STATE_MAX; i++)
        g_assert_cmpint(exists(f.store, request_state_to_string((RequestState)i)), ==,
                        i != REQUEST_STATE_REPLY_ACKED && i != REQUEST_STATE_NACKED);
    g_assert_true(exists(f.store, "young"));

    let_time_pass(&f, 10 * day);
    expire(f.store, day);
    g_assert_false(exists(f.store, "young") || exists(f.store, "REPLY_NACKED"));
    g_assert_true(exists(f.store, "REPLY") && exists(f.store, "ACKED") &&
                  exists(f.store, "REQUESTING"));
    g_assert_cmpint(store_begin(f.store), ==, 0);
    g_assert_cmpint(store_remove_request(f.store, "REPLY"), ==, 0); /* never while it is open */
    g_assert_cmpint(store_commit(f.store), ==, 0);
    g_assert_true(exists(f.store, "REPLY"));
}

static void test_skip_expired(void) {
    _cleanup_fixture_ Fixture f = {};
    g_autoptr(GPtrArray) guids = g_ptr_array_new_with_free_func(g_free);

    fixture_init(&f);
    for (unsigned i = 0; i < 5; i++)
        insert_committed(f.store, (const char *const[]){"1", "2", "3", "4", "5"}[i],
                         REQUEST_STATE_NACKED);
    let_time_pass(&f, 10 * USEC_PER_SEC);
    for (unsigned skip = 0; skip < 5; skip += 2)
        g_assert_cmpint(store_visit_expired(f.store, USEC_PER_SEC, 2, skip, take_guid, guids), ==,
                        0);
    g_assert_cmpuint(guids->len, ==, 5);
}

/* --- file systems of our own ------------------------------------------------------------------ */

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
    if (argc == 3 && (streq(argv[1], "--open") || streq(argv[1], "--crash")))
        return other_main(argv[1], argv[2]);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/request", test_request);
    g_test_add_func("/store/exists", test_exists);
    g_test_add_func("/store/transactions", test_transactions);
    g_test_add_func("/store/list", test_list);
    g_test_add_func("/store/counts", test_counts);
    g_test_add_func("/store/empty", test_empty);
    g_test_add_func("/store/foreign", test_foreign);
    g_test_add_func("/store/meta", test_meta);
    g_test_add_func("/store/mode", test_mode);
    g_test_add_func("/store/reopen", test_reopen);
    g_test_add_func("/store/exclusive", test_exclusive);
    g_test_add_func("/store/crash", test_crash);
    g_test_add_func("/store/not-a-database", test_not_a_database);
    g_test_add_func("/store/damaged-pages", test_damaged_pages);
    g_test_add_func("/store/set-aside-nothing", test_set_aside_nothing);
    g_test_add_func("/store/newer-version", test_newer_version);
    g_test_add_func("/store/unknown-state", test_unknown_state);
    g_test_add_func("/store/retention", test_retention);
    g_test_add_func("/store/skip-expired", test_skip_expired);
    g_test_add_func("/store/full-disk", test_full_disk);
    g_test_add_func("/store/full-disk-in-transaction", test_full_disk_in_transaction);
    g_test_add_func("/store/read-only", test_read_only);
    return g_test_run();
}
