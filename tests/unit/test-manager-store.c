/* SPDX-License-Identifier: Apache-2.0 */
/* Proves what the manager's database promises: survival, uniqueness, bounds, matching of names. */
#include <glib.h>
#include <glib/gstdio.h>

#include "dcm-manager/ledger-agent.h"
#include "dcm-manager/ledger-database.h"
#include "dcm-manager/ledger-request.h"
#include "dcm-manager/ledger-target.h"
#include "dcm-manager/limits.h"

typedef struct Fixture {
    char *directory, *path;
    Ledger *store;
} Fixture;

static void reopen(Fixture *f) {
    f->store = ledger_free(f->store);
    g_assert_cmpint(ledger_open(f->path, &f->store), ==, 0);
}

static void set_up(Fixture *f, const void *data) {
    f->directory = g_dir_make_tmp("store-XXXXXX", NULL);
    f->path = g_build_filename(f->directory, "db", NULL);
    reopen(f);
}

static void tear_down(Fixture *f, const void *data) {
    GDir *dir;

    ledger_free(f->store);
    dir = g_dir_open(f->directory, 0, NULL);
    for (const char *name; (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(f->directory, name, NULL);

        g_assert_cmpint(g_unlink(path), ==, 0);
    }
    g_dir_close(dir);
    g_assert_cmpint(g_rmdir(f->directory), ==, 0);
    g_free(f->path);
    g_free(f->directory);
}

static int add_agent(Fixture *f, const char *id, const char *token) {
    Offer o = {.agent_id = "claimed"};

    g_strlcpy(o.token_sha256, token, sizeof(o.token_sha256));
    return ledger_add_agent(f->store, id, "server", &o);
}

static void match(Fixture *f, const char *text, int expected, const char *id) {
    g_autofree char *found = NULL;

    g_assert_cmpint(ledger_match_agent(f->store, text, &found), ==, expected);
    g_assert_cmpstr(found, ==, id);
}

static void test_agents(Fixture *f, const void *data) {
    LedgerAgent a = {};

    g_assert_cmpint(add_agent(f, "agent-ab", "t1"), >=, 0);
    g_assert_cmpint(add_agent(f, "agent-ac", "t2"), >=, 0);
    g_assert_cmpint(add_agent(f, "agent-ab", "t3"), ==, -EEXIST);
    g_assert_cmpint(add_agent(f, "agent-ad", "t1"), ==, -EEXIST);
    g_assert_cmpint(ledger_find_agent_by_token(f->store, "t9", &a), ==, -ENOENT);
    reopen(f);
    g_assert_cmpint(ledger_find_agent_by_token(f->store, "t1", &a), ==, 0);
    g_assert_cmpstr(a.id, ==, "agent-ab");
    g_assert_cmpstr(a.claimed, ==, "claimed");
    ledger_agent_done(&a);

    match(f, "agent-ab", 0, "agent-ab");
    match(f, "agent-ac", 0, "agent-ac");
    match(f, "agent-acx", -ENOENT, NULL);
    match(f, "agent", -ENOTUNIQ, NULL);
    match(f, "agent-a", -ENOTUNIQ, NULL);
    match(f, "nobody", -ENOENT, NULL);
    match(f, "agent-a%", -ENOENT, NULL);
    g_assert_cmpint(ledger_name_agent(f->store, "agent-ac", "web"), ==, 0);
    match(f, "web", 0, "agent-ac");
    g_assert_cmpint(ledger_name_agent(f->store, "agent-ab", "web"), ==, -EEXIST);
    g_assert_cmpint(ledger_name_agent(f->store, "agent-ab", "agent-ac"), ==, -EEXIST);
    g_assert_cmpint(ledger_name_agent(f->store, "agent-ab", "agent-ae"), ==, 0);
    g_assert_cmpint(add_agent(f, "agent-ae", "t4"), ==, -EEXIST); /* that is a name */
    g_assert_cmpint(ledger_name_agent(f->store, "agent-ac", NULL), ==, 0);
    match(f, "web", -ENOENT, NULL);
    g_assert_cmpint(ledger_name_agent(f->store, "agent-ab", "web"), ==, 0);
    match(f, "web", 0, "agent-ab");
}

/* In parts of two that were looked at: ids of those that are meant, with blanks. */
static char *list_targets(Fixture *f, TargetKind kind, const char *value) {
    GString *ids = g_string_new(NULL);
    char *after = NULL, *next = NULL;

    do {
        struct json_object *list = NULL;

        g_assert_cmpint(ledger_list_targets(f->store, kind, value, after, 2, &list, &next), ==, 0);
        for (size_t i = 0; i < json_object_array_length(list); i++)
            g_string_append_printf(ids, "%s ",
                                   json_get_string(json_object_array_get_idx(list, i), "id"));
        json_object_put(list);
        free(after);
        after = next;
    } while (after);
    return g_string_free(ids, FALSE);
}

static void check_targets(Fixture *f, TargetKind kind, const char *value, const char *expected) {
    g_autofree char *found = list_targets(f, kind, value);

    g_assert_cmpstr(found, ==, expected);
}

static void test_targets(Fixture *f, const void *data) {
    static const char *const ids[] = {"a1", "a2", "a3", "a4", "a5", "a6"};
    static const char *const names[] = {"web1", "web]", "web\u00e9", "w[b", "gone", NULL};

    for (size_t i = 0; i < G_N_ELEMENTS(ids); i++) {
        g_assert_cmpint(add_agent(f, ids[i], ids[i]), >=, 0);
        if (names[i])
            g_assert_cmpint(ledger_name_agent(f->store, ids[i], names[i]), ==, 0);
        g_assert_cmpint(ledger_group_agent(f->store, ids[i], i % 2 ? "odd" : "even"), ==, 0);
    }
    g_assert_cmpint(ledger_revoke_agent(f->store, "a5", true), ==, 0);
    check_targets(f, TARGET_ALL, NULL, "a1 a2 a3 a4 a6 ");
    check_targets(f, TARGET_GROUP, "even", "a1 a3 ");
    check_targets(f, TARGET_GROUP, "none", "");
    check_targets(f, TARGET_PLATFORM, "debian", "");
    check_targets(f, TARGET_CONNECTED, NULL, "");
    check_targets(f, TARGET_PATTERN, "*", "a6 a4 a1 a2 a3 ");
    check_targets(f, TARGET_PATTERN, "web?", "a1 a2 a3 ");
    check_targets(f, TARGET_PATTERN, "web[!1]", "a2 a3 ");
    check_targets(f, TARGET_PATTERN, "web[^1]", "a2 a3 ");
    check_targets(f, TARGET_PATTERN, "web[!]]", "a1 a3 ");
    check_targets(f, TARGET_PATTERN, "web[]1]", "a1 a2 ");
    check_targets(f, TARGET_PATTERN, "w[[!]b", "a4 ");
    check_targets(f, TARGET_PATTERN, "web[", "");
    check_targets(f, TARGET_PATTERN, "a?", "a6 ");
    check_targets(f, TARGET_PATTERN, "web\u00e9*", "a3 ");
}

static void test_requests(Fixture *f, const void *data) {
    LedgerRequest s = {};
    char **open = NULL;

    g_assert_cmpint(ledger_add_request(f->store, "g1", "a", "{}"), >=, 0);
    g_assert_cmpint(ledger_add_request(f->store, "g2", "a", "{}"), >=, 0);
    g_assert_cmpint(ledger_add_request(f->store, "g3", "b", "{}"), >=, 0);
    g_assert_cmpint(ledger_add_request(f->store, "g1", "b", "{}"), ==, -EEXIST);
    g_assert_cmpint(ledger_set_request(f->store, "g2", ORDER_REPLIED, "{\"x\":1}", NULL), >=, 0);
    reopen(f);
    g_assert_cmpint(ledger_get_request(f->store, "g2", &s), ==, 0);
    g_assert_cmpint(s.state, ==, ORDER_REPLIED);
    g_assert_cmpstr(s.reply, ==, "{\"x\":1}");
    ledger_request_done(&s);
    g_assert_cmpint(ledger_get_request(f->store, "g9", &s), ==, -ENOENT);
    g_assert_cmpint(ledger_count_open_requests(f->store, "a"), ==, 1);
    g_assert_cmpint(ledger_list_open_requests(f->store, "a", &open), ==, 0);
    g_assert_cmpstr(open[0], ==, "g1");
    g_assert_null(open[1]);
    g_strfreev(open);
}

static void assert_lines(Fixture *f, const char *agent, unsigned n) {
    struct json_object *lines = NULL;

    g_assert_cmpint(ledger_list_log(f->store, agent, &(LedgerPage){.n = 100000}, &lines), ==, 0);
    g_assert_cmpuint(json_object_array_length(lines), ==, n);
    json_object_put(lines);
}

/* Of that agent, and of no other. */
static void test_trim(Fixture *f, const void *data) {
    int64_t time;

    for (unsigned i = 0; i < LOG_LINES_MAX + 3; i++) {
        g_assert_cmpint(ledger_add_log(f->store, "a", "INFO", "line", &time), ==, 0);
        g_assert_cmpint(ledger_add_log(f->store, "b", "INFO", "line", &time), ==, 0);
    }
    g_assert_cmpint(ledger_trim(f->store, "a", KEPT_SIZE_MAX), ==, 0);
    assert_lines(f, "a", LOG_LINES_MAX);
    assert_lines(f, "b", LOG_LINES_MAX + 3);
    g_assert_cmpint(ledger_trim(f->store, "c", KEPT_SIZE_MAX), ==, 0);
}

static int64_t kept(Fixture *f, const char *agent) {
    struct json_object *lines = NULL;
    size_t size = 0;

    g_assert_cmpint(ledger_list_log(f->store, agent, &(LedgerPage){.n = 100000}, &lines), ==, 0);
    for (size_t i = 0; i < json_object_array_length(lines); i++)
        size += strlen(json_get_string(json_object_array_get_idx(lines, i), "message"));
    json_object_put(lines);
    return (int64_t)size;
}

/* Too much of all together costs the one that has most, and not the one that has little. */
static void test_trim_all(Fixture *f, const void *data) {
    g_autofree char *line = g_strnfill(1000, 'x');
    int64_t time;

    for (unsigned i = 0; i < 200; i++) {
        g_assert_cmpint(ledger_add_log(f->store, "greedy", "INFO", line, &time), ==, 0);
        if (i % 20 == 0)
            g_assert_cmpint(ledger_add_log(f->store, "modest", "INFO", line, &time), ==, 0);
    }
    g_assert_cmpint(ledger_trim(f->store, "other", 210000), ==, 0);
    g_assert_cmpint(kept(f, "greedy"), ==, 200000);
    g_assert_cmpint(ledger_trim(f->store, "modest", 100000), ==, 0);
    g_assert_cmpint(kept(f, "greedy"), <=, 90000);
    g_assert_cmpint(kept(f, "greedy"), >, 0);
    g_assert_cmpint(kept(f, "modest"), ==, 10000);
}

static void test_damaged(Fixture *f, const void *data) {
    Ledger *s = NULL;

    f->store = ledger_free(f->store);
    g_assert_true(g_file_set_contents(f->path, "this is no database, and long enough", -1, NULL));
    g_assert_cmpint(ledger_open(f->path, &s), ==, -EUCLEAN);
}

/* --- groups ------------------------------------------------------------------------------------
 */

typedef struct Told {
    LedgerPromise promise;
    Fixture *fixture;
    int number, error;
} Told;

static unsigned n_begun, n_told;
static int told[8], errors[8];

static void on_begin(void *userdata) {
    n_begun++;
}

static void on_told(LedgerPromise *promise, int error) {
    Told *t = (Told *)promise;

    told[n_told] = t->number;
    errors[n_told++] = error;
    g_free(t);
}

static void promise(Fixture *f, int number) {
    Told *t = g_new0(Told, 1);

    t->promise.done = on_told;
    t->fixture = f;
    t->number = number;
    ledger_promise(f->store, &t->promise);
}

static void begin_group(Fixture *f) {
    n_begun = n_told = 0;
    ledger_set_group(f->store, on_begin, f);
}

/* What another connection sees. */
static int64_t count_requests(Fixture *f) {
    sqlite3_stmt *q = NULL;
    sqlite3 *db = NULL;
    int64_t n;

    g_assert_cmpint(sqlite3_open(f->path, &db), ==, SQLITE_OK);
    g_assert_cmpint(sqlite3_prepare_v2(db, "SELECT count(*) FROM requests", -1, &q, NULL), ==,
                    SQLITE_OK);
    g_assert_cmpint(sqlite3_step(q), ==, SQLITE_ROW);
    n = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    sqlite3_close(db);
    return n;
}

static void test_group(Fixture *f, const void *data) {
    LedgerRequest request = {};

    begin_group(f);
    promise(f, 1); /* nothing was written: at once */
    g_assert_cmpuint(n_told, ==, 1);
    g_assert_cmpint(ledger_add_request(f->store, "g1", "a", "{}"), >=, 0);
    promise(f, 2);
    g_assert_cmpint(ledger_add_request(f->store, "g1", "b", "{}"), ==, -EEXIST);
    g_assert_cmpint(ledger_add_request(f->store, "g2", "a", "{}"), >=, 0);
    promise(f, 3);
    g_assert_cmpuint(n_begun, ==, 1);
    g_assert_cmpuint(n_told, ==, 1);
    g_assert_cmpint(count_requests(f), ==, 0);
    g_assert_cmpint(ledger_get_request(f->store, "g1", &request), ==, 0);
    ledger_request_done(&request);
    g_assert_cmpint(ledger_commit(f->store), ==, 0);
    g_assert_cmpint(count_requests(f), ==, 2);
    g_assert_cmpuint(n_told, ==, 3);
    for (int i = 0; i < 3; i++) {
        g_assert_cmpint(told[i], ==, i + 1);
        g_assert_cmpint(errors[i], ==, 0);
    }
    g_assert_cmpint(ledger_commit(f->store), ==, 0);
    g_assert_cmpuint(n_told, ==, 3);

    /* the end of the store commits, too */
    g_assert_cmpint(ledger_add_request(f->store, "g3", "a", "{}"), >=, 0);
    promise(f, 4);
    reopen(f);
    g_assert_cmpint(told[3], ==, 4);
    g_assert_cmpint(errors[3], ==, 0);
    g_assert_cmpint(count_requests(f), ==, 3);
}

/* Another program holds the lock: nothing of the group is stored, and all are told so. */
static void test_group_fails(Fixture *f, const void *data) {
    sqlite3 *db = NULL;

    begin_group(f);
    g_assert_cmpint(sqlite3_open(f->path, &db), ==, SQLITE_OK);
    g_assert_cmpint(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), ==, SQLITE_OK);
    g_assert_cmpint(ledger_add_request(f->store, "g1", "a", "{}"), ==, -EBUSY);
    promise(f, 1);
    for (unsigned i = 0; i < 100; i++) /* it does not wait for each of them */
        g_assert_cmpint(ledger_add_request(f->store, "g2", "a", "{}"), ==, -EBUSY);
    promise(f, 2);
    g_assert_cmpuint(n_begun, ==, 1);
    g_assert_cmpuint(n_told, ==, 0);
    g_assert_cmpint(ledger_commit(f->store), ==, -EBUSY);
    g_assert_cmpuint(n_told, ==, 2);
    g_assert_cmpint(errors[0], ==, -EBUSY);
    g_assert_cmpint(errors[1], ==, -EBUSY);
    g_assert_cmpint(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), ==, SQLITE_OK);
    sqlite3_close(db);

    g_assert_cmpint(ledger_add_request(f->store, "g1", "a", "{}"), >=, 0);
    promise(f, 3);
    g_assert_cmpint(ledger_commit(f->store), ==, 0);
    g_assert_cmpint(errors[2], ==, 0);
    g_assert_cmpint(count_requests(f), ==, 1);
}

/* Open ones stay however old they are; a step looks at a few only. */
static void test_expiry(Fixture *f, const void *data) {
    LedgerRequest request = {};

    for (unsigned i = 0; i < 20; i++) {
        g_autofree char *guid = g_strdup_printf("g%02u", i);

        g_assert_cmpint(ledger_add_request(f->store, guid, "a", "{}"), >=, 0);
        if (i != 3)
            g_assert_cmpint(ledger_set_request(f->store, guid, ORDER_REPLIED, "{}", NULL), >=, 0);
    }
    g_assert_cmpint(ledger_expire_requests(f->store, 100, 4), ==, 0);
    g_assert_cmpint(count_requests(f), ==, 20);
    g_assert_cmpint(ledger_expire_requests(f->store, 10, 4), ==, 1);
    g_assert_cmpint(count_requests(f), ==, 17);
    while (ledger_expire_requests(f->store, 10, 4) > 0)
        ;
    g_assert_cmpint(count_requests(f), ==, 11);
    g_assert_cmpint(ledger_get_request(f->store, "g03", &request), ==, 0);
    ledger_request_done(&request);
    g_assert_cmpint(ledger_set_request(f->store, "g03", ORDER_REPLIED, "{}", NULL), >=, 0);
    while (ledger_expire_requests(f->store, 10, 4) > 0)
        ;
    g_assert_cmpint(count_requests(f), ==, 10);
}

static void test_pages(Fixture *f, const void *data) {
    struct json_object *after = NULL, *next = NULL, *list = NULL;
    unsigned n = 0, pages = 0;

    for (unsigned i = 0; i < 10; i++) {
        g_autofree char *id = g_strdup_printf("agent-%u", i);

        g_assert_cmpint(add_agent(f, id, id), >=, 0);
    }
    do {
        g_assert_cmpint(ledger_list_agents(f->store, after, 3, &list, &next), ==, 0);
        for (size_t i = 0; i < json_object_array_length(list); i++, n++) {
            g_autofree char *id = g_strdup_printf("agent-%u", n);

            g_assert_cmpstr(json_get_string(json_object_array_get_idx(list, i), "id"), ==, id);
        }
        json_object_put(list);
        json_object_put(after);
        after = next;
        next = NULL;
        pages++;
    } while (after);
    g_assert_cmpuint(n, ==, 10);
    g_assert_cmpuint(pages, ==, 4);

    after = json_object_new_object();
    g_assert_cmpint(ledger_list_agents(f->store, after, 3, &list, &next), ==, -EINVAL);
    json_object_put(after);
}

/* No statement walks through a table, whose rows may be millions, except at the start and the end;
 * nor does one sort all rows to give the first ones, but for those that wait: of 10,000 some leave
 * at once. */
static void test_plans(Fixture *f, const void *data) {
    static const char *const tables[] = {"requests", "agents", "logs", "alerts", "kept"};

    for (Statement id = 0; id < _STATEMENT_MAX; id++) {
        const char *sql = ledger_statement_sql(id);
        g_autofree char *explain = g_strconcat("EXPLAIN QUERY PLAN ", sql, NULL);
        bool is_rare = id == STATEMENT_AGENT_COUNT || id == STATEMENT_AGENT_ALL_GONE ||
                       id == STATEMENT_AGENT_ALL_DISCONNECTED;
        bool is_short = strstr(sql, "LIMIT") || strstr(sql, "used = 0");
        sqlite3_stmt *q = NULL;

        g_assert_cmpint(sqlite3_prepare_v2(f->store->db, explain, -1, &q, NULL), ==, SQLITE_OK);
        while (sqlite3_step(q) == SQLITE_ROW) {
            const char *step = (const char *)sqlite3_column_text(q, 3);

            for (unsigned i = 0; i < G_N_ELEMENTS(tables); i++) {
                g_autofree char *scan = g_strconcat("SCAN ", tables[i], NULL);

                if (g_str_has_prefix(step, scan) && !is_short && !is_rare)
                    g_error("%s: %s", sql, step);
            }
            if (strstr(step, "TEMP B-TREE FOR ORDER BY") && strstr(sql, "LIMIT ?") &&
                id != STATEMENT_WAITING_EVICT)
                g_assert_true(g_str_has_suffix(sql, "ORDER BY row")); /* of the limited ones */
        }
        sqlite3_finalize(q);
    }
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) g_test_add(name, Fixture, NULL, set_up, function, tear_down)
    ADD("/manager/store/agents", test_agents);
    ADD("/manager/store/targets", test_targets);
    ADD("/manager/store/requests", test_requests);
    ADD("/manager/store/trim", test_trim);
    ADD("/manager/store/trim-all", test_trim_all);
    ADD("/manager/store/damaged", test_damaged);
    ADD("/manager/store/group", test_group);
    ADD("/manager/store/group-fails", test_group_fails);
    ADD("/manager/store/expiry", test_expiry);
    ADD("/manager/store/pages", test_pages);
    ADD("/manager/store/plans", test_plans);
    return g_test_run();
}
