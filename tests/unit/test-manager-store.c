/* SPDX-License-Identifier: Apache-2.0 */
/* Proves what the manager's database promises: survival, uniqueness, bounds, matching of names. */
#include <glib.h>
#include <glib/gstdio.h>

#include "dcm-manager/ledger-agent.h"
#include "dcm-manager/ledger-request.h"
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

    g_assert_cmpint(ledger_list_log(f->store, agent, 100000, &lines), ==, 0);
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

    g_assert_cmpint(ledger_list_log(f->store, agent, 100000, &lines), ==, 0);
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

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) g_test_add(name, Fixture, NULL, set_up, function, tear_down)
    ADD("/manager/store/agents", test_agents);
    ADD("/manager/store/requests", test_requests);
    ADD("/manager/store/trim", test_trim);
    ADD("/manager/store/trim-all", test_trim_all);
    ADD("/manager/store/damaged", test_damaged);
    return g_test_run();
}
