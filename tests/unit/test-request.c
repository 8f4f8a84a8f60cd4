/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that requests are found by their GUID, visited oldest first, may go while they are
 * visited, and are what their row says. */
#include <glib.h>

#include "request/request.h"

static void add(RequestTable *t, const char *guid) {
    Request *q = NULL;

    g_assert_cmpint(request_new(guid, "heartbeat", &q), ==, 0);
    g_assert_cmpint(q->state, ==, REQUEST_STATE_REQUESTING);
    g_assert_false(q->is_stored);
    g_assert_cmpint(request_table_add(t, q), ==, 0);
}

typedef struct Visit {
    RequestTable *table;
    GString *guids;
    const char *remove;
} Visit;

static void on_visit(Request *q, void *userdata) {
    Visit *v = userdata;

    g_string_append_printf(v->guids, "%s ", q->task.guid);
    if (v->remove && (streq(v->remove, q->task.guid) || streq(v->remove, "all")))
        request_table_remove(v->table, q);
}

static void assert_visit(RequestTable *t, const char *remove, const char *expected) {
    g_autoptr(GString) guids = g_string_new(NULL);
    Visit v = {.table = t, .guids = guids, .remove = remove};

    request_table_visit(t, on_visit, &v);
    g_assert_cmpstr(guids->str, ==, expected);
}

static void test_table(void) {
    RequestTable *t = NULL;

    g_assert_cmpint(request_table_new(&t), ==, 0);
    g_assert_null(request_table_find(t, "a"));
    assert_visit(t, NULL, "");
    add(t, "c");
    add(t, "a");
    add(t, "b");
    g_assert_cmpuint(request_table_size(t), ==, 3);
    g_assert_cmpstr(request_table_find(t, "a")->task.guid, ==, "a");
    g_assert_null(request_table_find(t, "A"));
    assert_visit(t, "a", "c a b ");
    g_assert_null(request_table_find(t, "a"));
    assert_visit(t, "c", "c b ");
    add(t, "a");
    assert_visit(t, "all", "b a ");
    g_assert_cmpuint(request_table_size(t), ==, 0);
    add(t, "left");
    request_table_free(t);
}

static void test_many(void) {
    RequestTable *t = NULL;

    g_assert_cmpint(request_table_new(&t), ==, 0);
    for (unsigned i = 0; i < 10000; i++) {
        g_autofree char *guid = g_strdup_printf("guid-%u", i);

        add(t, guid);
    }
    g_assert_cmpuint(request_table_size(t), ==, 10000);
    for (unsigned i = 0; i < 10000; i += 3) {
        g_autofree char *guid = g_strdup_printf("guid-%u", i);

        request_table_remove(t, request_table_find(t, guid));
        g_assert_null(request_table_find(t, guid));
    }
    g_assert_nonnull(request_table_find(t, "guid-9998"));
    request_table_free(t);
}

static void test_from_row(void) {
    StoredRequest row = {.guid = (char[]){"g"},
                         .agent_id = (char[]){"agent-1"},
                         .command = (char[]){"run_script"},
                         .state = REQUEST_STATE_REPLY,
                         .payload_sha256 = "abc",
                         .error_message = (char[]){"why"},
                         .accepted_usec = 7};
    _cleanup_(request_freep) Request *q = NULL, *bare = NULL;

    g_assert_cmpint(request_new_from_row(&row, &q), ==, 0);
    g_assert_cmpstr(q->task.guid, ==, "g");
    g_assert_cmpstr(q->agent_id, ==, "agent-1");
    g_assert_cmpstr(q->task.command, ==, "run_script");
    g_assert_cmpstr(q->error_message, ==, "why");
    g_assert_cmpstr(q->payload_sha256, ==, "abc");
    g_assert_cmpint(q->state, ==, REQUEST_STATE_REPLY);
    g_assert_cmpuint(q->task.accepted_usec, ==, 7);
    g_assert_true(q->is_stored);

    row = (StoredRequest){.guid = (char[]){"g"}, .command = (char[]){"c"}};
    g_assert_cmpint(request_new_from_row(&row, &bare), ==, 0);
    g_assert_null(bare->agent_id);
    g_assert_null(bare->error_message);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/request/table", test_table);
    g_test_add_func("/request/many", test_many);
    g_test_add_func("/request/from-row", test_from_row);
    return g_test_run();
}
