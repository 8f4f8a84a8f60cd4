/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that a damaged database is kept, that what can be read of it is carried over, wherever the
 * damage is and wherever the repair was cut off, and when a database is checked at all. */
#include <glib.h>
#include <glib/gstdio.h>
#include <sqlite3.h>

#include "basic/log.h"
#include "core/storage.h"
#include "store/repair.h"
#include "store/request-row.h"
#include "store/user-row.h"
#include "temporary.h"

#define HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define N_ROWS 400u
#define N_USERS 1000u
#define PAGE 4096u

typedef struct Fixture {
    char *dir, *path;
} Fixture;

static void fixture_done(Fixture *f) {
    g_free(f->path);
    temporary_remove(&f->dir);
}
#define _cleanup_fixture_ _cleanup_(fixture_done)

static Store *open_store(Fixture *f) {
    Store *s = NULL;

    g_assert_cmpint(storage_open(f->path, &s), ==, 0);
    return s;
}

/* N_ROWS requests, each with its reply, in whole pages: no journal is left. */
static void fixture_init(Fixture *f) {
    g_autofree char *reply = g_strnfill(900, 'r');
    Store *s;

    *f = (Fixture){.dir = temporary_new()};
    f->path = g_build_filename(f->dir, "requests.db", NULL);
    s = open_store(f);
    g_assert_cmpint(store_begin(s), ==, 0);
    for (unsigned i = 0; i < N_ROWS; i++) {
        g_autofree char *guid = g_strdup_printf("guid-%u", i);
        StoredRequest row = {.guid = guid,
                             .command = (char[]){"run_script"},
                             .state = REQUEST_STATE_ACKED,
                             .payload_sha256 = HASH};

        g_assert_cmpint(store_insert_request(s, &row), ==, 0);
        g_assert_cmpint(store_set_reply(s, guid, reply, 0), ==, 0);
    }
    g_assert_cmpint(store_set_meta(s, "agent_id", "agent-7"), ==, 0);
    g_assert_cmpint(store_commit(s), ==, 0);
    store_close(s);
}

static unsigned count_rows(Store *s) {
    unsigned counts[_REQUEST_STATE_MAX];

    g_assert_cmpint(store_count_requests(s, counts), ==, 0);
    return counts[REQUEST_STATE_REPLY];
}

static bool exists(Store *s, unsigned i) {
    _cleanup_(stored_request_done) StoredRequest row = {};
    g_autofree char *guid = g_strdup_printf("guid-%u", i);
    int r = store_load_request(s, guid, true, &row);

    g_assert_true(r == 0 || r == -ENOENT);
    g_assert_true(r < 0 || (strlen(row.reply) == 900 && row.reply[899] == 'r'));
    return r == 0;
}

static unsigned count_files(Fixture *f, const char *part) {
    g_autoptr(GDir) dir = g_dir_open(f->dir, 0, NULL);
    const char *name;
    unsigned n = 0;

    while ((name = g_dir_read_name(dir)))
        n += strstr(name, part) && !g_str_has_suffix(name, "-wal") &&
             !g_str_has_suffix(name, "-shm");
    return n;
}

/* Fills pages with what is no page. */
static void damage(Fixture *f, double from, double to) {
    g_autofree char *content = NULL;
    gsize size = 0, first, last;

    g_assert_true(g_file_get_contents(f->path, &content, &size, NULL));
    first = (gsize)((double)(size / PAGE) * from) * PAGE;
    last = (gsize)((double)(size / PAGE) * to) * PAGE;
    g_assert_cmpuint(last, >, first);
    memset(content + first, 0xa5, last - first);
    temporary_write(f->dir, "requests.db", content, size);
}

static void test_checked_when_due(void) {
    _cleanup_fixture_ Fixture f = {};
    _cleanup_(store_closep) Store *s = NULL;
    _cleanup_free_ char *boot_id = NULL;

    fixture_init(&f);
    damage(&f, 0.5, 0.51);
    s = open_store(&f); /* in the same boot nobody looks */
    g_assert_cmpuint(count_files(&f, ".damaged-"), ==, 0);
    g_assert_cmpint(store_get_meta(s, "boot_id", &boot_id), ==, 0);
    g_assert_cmpuint(strlen(boot_id), ==, 36);
    g_assert_cmpint(store_begin(s), ==, 0);
    g_assert_cmpint(store_set_meta(s, "boot_id", "an earlier one"), ==, 0);
    g_assert_cmpint(store_commit(s), ==, 0);
    s = store_close(s);
    s = open_store(&f);
    g_assert_cmpuint(count_files(&f, ".damaged-"), ==, 1);
}

/* One damaged place, wherever it is, loses what is on it. */
static void test_salvage(void) {
    static const double places[] = {0.1, 0.3, 0.5, 0.7, 0.9};
    unsigned worst = N_ROWS;

    for (size_t i = 0; i < ELEMENTSOF(places); i++) {
        _cleanup_fixture_ Fixture f = {};
        _cleanup_(store_closep) Store *s = NULL;
        _cleanup_free_ char *agent_id = NULL;
        unsigned n = 0;

        fixture_init(&f);
        damage(&f, places[i], places[i] + 0.05);
        storage_note_damage(f.path);
        s = open_store(&f);
        g_assert_cmpuint(count_files(&f, ".damaged-"), ==, 1);
        g_assert_cmpuint(count_files(&f, ".check"), ==, 0);
        g_assert_cmpuint(count_files(&f, ".salvag"), ==, 0);
        g_assert_cmpint(store_get_meta(s, "agent_id", &agent_id), ==, 0);
        g_assert_cmpstr(agent_id, ==, "agent-7");
        g_assert_cmpint(store_check(s), ==, 0);
        for (unsigned k = 0; k < N_ROWS; k++)
            n += exists(s, k);
        g_assert_cmpuint(n, ==, count_rows(s));
        worst = MIN(worst, n);
    }
    g_test_message("at least %u of %u rows were salvaged", worst, N_ROWS);
    g_assert_cmpuint(worst, >=, N_ROWS * 3 / 4);
}

static void add_users(Store *s) {
    g_assert_cmpint(store_begin(s), ==, 0);
    for (unsigned i = 0; i < N_USERS; i++) {
        g_autofree char *name = g_strdup_printf("user-%03u", i);

        g_assert_cmpint(store_add_user(s, &(StoredUser){.name = name, .agent_id = "agent-7"}), ==,
                        0);
    }
    g_assert_cmpint(store_commit(s), ==, 0);
}

static void damage_page_with(Fixture *f, const char *text) {
    g_autofree char *content = NULL;
    gsize size = 0;
    char *place;

    g_assert_true(g_file_get_contents(f->path, &content, &size, NULL));
    place = memmem(content, size, text, strlen(text));
    g_assert_nonnull(place);
    memset(content + (gsize)(place - content) / PAGE * PAGE, 0xa5, PAGE);
    temporary_write(f->dir, "requests.db", content, size);
}

/* The same where rows have no numbers. */
static void test_salvage_by_name(void) {
    _cleanup_fixture_ Fixture f = {};
    _cleanup_(store_closep) Store *s = NULL;
    unsigned n = 0;

    fixture_init(&f);
    s = open_store(&f);
    add_users(s);
    s = store_close(s);
    damage_page_with(&f, "user-500");
    storage_note_damage(f.path);
    s = open_store(&f);
    for (unsigned i = 0; i < N_USERS; i++) {
        g_autofree char *name = g_strdup_printf("user-%03u", i);

        n += store_has_user(s, name) > 0;
    }
    g_assert_cmpint(store_has_user(s, "user-000"), ==, 1);
    g_assert_cmpint(store_has_user(s, "user-500"), ==, 0);
    g_assert_cmpint(store_has_user(s, "user-999"), ==, 1);
    g_assert_cmpuint(n, >=, N_USERS * 3 / 4);
}

static void test_nothing_to_salvage(void) {
    _cleanup_fixture_ Fixture f = {};
    _cleanup_(store_closep) Store *s = NULL;

    fixture_init(&f);
    temporary_write(f.dir, "requests.db", "this is no database at all", 26);
    s = open_store(&f);
    g_assert_cmpuint(count_files(&f, ".damaged-"), ==, 1);
    g_assert_cmpuint(count_rows(s), ==, 0);
}

/* What a newer version stored, or somebody else, is no request of ours; the rest is. */
static void test_rows_that_are_none(void) {
    _cleanup_fixture_ Fixture f = {};
    _cleanup_(store_closep) Store *s = NULL;
    sqlite3 *db = NULL;

    fixture_init(&f);
    g_assert_cmpint(sqlite3_open(f.path, &db), ==, SQLITE_OK);
    g_assert_cmpint(sqlite3_exec(db,
                                 "UPDATE requests SET state = 'FROBBED' WHERE guid = 'guid-3';"
                                 "PRAGMA writable_schema = ON;"
                                 "DELETE FROM sqlite_schema WHERE name = 'requests_by_state';"
                                 "PRAGMA writable_schema = OFF",
                                 NULL, NULL, NULL),
                    ==, SQLITE_OK);
    g_assert_cmpint(sqlite3_close(db), ==, SQLITE_OK);
    storage_note_damage(f.path);
    s = open_store(&f);
    g_assert_cmpuint(count_rows(s), ==, N_ROWS - 1);
    g_assert_false(exists(s, 3));
}

/* After PATH.salvaged was complete, before it was put in place. */
static void test_cut_off_late(void) {
    for (unsigned database_is_gone = 0; database_is_gone < 2; database_is_gone++) {
        _cleanup_fixture_ Fixture f = {};
        _cleanup_(store_closep) Store *s = NULL;
        g_autofree char *salvaged = NULL;

        fixture_init(&f);
        salvaged = g_strconcat(f.path, ".salvaged", NULL);
        g_assert_cmpint(g_rename(f.path, salvaged), ==, 0);
        if (!database_is_gone)
            temporary_write(f.dir, "requests.db", "the damaged one", 15);
        s = open_store(&f);
        g_assert_cmpuint(count_rows(s), ==, N_ROWS);
        g_assert_cmpuint(count_files(&f, ".damaged-"), ==, database_is_gone ? 0 : 1);
        g_assert_cmpuint(count_files(&f, ".salvaged"), ==, 0);
    }
}

/* While rows were copied: that begins anew. */
static void test_cut_off_early(void) {
    _cleanup_fixture_ Fixture f = {};
    _cleanup_(store_closep) Store *s = NULL;

    fixture_init(&f);
    damage(&f, 0.5, 0.6);
    storage_note_damage(f.path);
    temporary_write(f.dir, "requests.db.salvaging", "half of", 7);
    temporary_write(f.dir, "requests.db.salvaging-wal", "it", 2);
    s = open_store(&f);
    g_assert_cmpuint(count_rows(s), >, N_ROWS / 2);
    g_assert_cmpuint(count_files(&f, ".salvaging"), ==, 0);
}

/* The journal of the damaged database must not be applied to the new one. */
static void test_journal_goes_along(void) {
    _cleanup_fixture_ Fixture f = {};
    _cleanup_(store_closep) Store *s = NULL;

    fixture_init(&f);
    damage(&f, 0.2, 0.9);
    temporary_write(f.dir, "requests.db-wal", "a journal", 9);
    storage_note_damage(f.path);
    s = open_store(&f);
    g_assert_cmpuint(count_files(&f, ".damaged-"), >=, 1);
    g_assert_cmpint(store_check(s), ==, 0);
}

static void on_damaged(void *userdata) {
    ++*(unsigned *)userdata;
}

/* Damage that is found while rows are read is told, so that the agent can start anew. */
static void test_told_at_run_time(void) {
    _cleanup_fixture_ Fixture f = {};
    _cleanup_(store_closep) Store *s = NULL;
    unsigned told = 0;

    fixture_init(&f);
    damage(&f, 0.5, 0.51);
    s = open_store(&f);
    store_set_on_damaged(s, on_damaged, &told);
    for (unsigned i = 0; i < N_ROWS && told == 0; i++) {
        _cleanup_(stored_request_done) StoredRequest row = {};
        g_autofree char *guid = g_strdup_printf("guid-%u", i);

        (void)store_load_request(s, guid, true, &row);
    }
    g_assert_cmpuint(told, >, 0);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    log_set_level(LOG_CRIT);
    g_test_add_func("/storage/checked-when-due", test_checked_when_due);
    g_test_add_func("/storage/salvage", test_salvage);
    g_test_add_func("/storage/salvage-by-name", test_salvage_by_name);
    g_test_add_func("/storage/nothing-to-salvage", test_nothing_to_salvage);
    g_test_add_func("/storage/rows-that-are-none", test_rows_that_are_none);
    g_test_add_func("/storage/cut-off-late", test_cut_off_late);
    g_test_add_func("/storage/cut-off-early", test_cut_off_early);
    g_test_add_func("/storage/journal-goes-along", test_journal_goes_along);
    g_test_add_func("/storage/told-at-run-time", test_told_at_run_time);
    return g_test_run();
}
