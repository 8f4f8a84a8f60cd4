/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that rows come back as they were committed, that nothing changes outside a transaction,
 * and that the counts follow each change. */
#include "basic/bounds.h"
#include "store-fixture.h"

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
    g_assert_cmpint(store_set_reply(f.store, "g'1", "{\"return_code\":0}", -7), ==, 0);
    g_assert_cmpint(store_set_reply(f.store, "other", "{}", 0), ==, -ENOENT);
    g_assert_cmpint(
        store_set_state(f.store, "other", REQUEST_STATE_REPLY, REQUEST_STATE_REPLY_ACKED), ==,
        -ENOENT);
    g_assert_cmpint(store_set_state(f.store, "g'1", REQUEST_STATE_ACKED, REQUEST_STATE_REPLY_ACKED),
                    ==, -ENOENT);
    g_assert_cmpint(store_set_reply(f.store, "g'1", "{}", 0), ==, -ENOENT);
    g_assert_cmpint(store_commit(f.store), ==, 0);
    g_assert_cmpint(store_load_request(f.store, "g'1", true, &replied), ==, 0);
    g_assert_cmpint(replied.state, ==, REQUEST_STATE_REPLY);
    g_assert_cmpstr(replied.reply, ==, "{\"return_code\":0}");
    g_assert_null(replied.payload);
    g_assert_cmpint(replied.return_code, ==, -7);
    g_assert_cmpuint(replied.replied_usec, ==, replied.changed_usec);
    g_assert_cmpuint(full.replied_usec, ==, 0);
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
    g_assert_cmpint(store_set_reply(f.store, "g", "{}", 0), ==, -EINVAL);
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
    } cases[] = {{100, "g0 g1 g2 g3 g4 g5 "}, {2, "g4 g5 "}, {0, ""}};
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
    g_assert_cmpstr(open->str, ==, "g1 g2 ");
    insert_committed(f.store, "stop", REQUEST_STATE_REPLY);
    insert_committed(f.store, "z", REQUEST_STATE_REPLY);
    g_assert_cmpint(store_visit_open(f.store, append_guid, stopped), ==, -ECANCELED);
    g_assert_cmpstr(stopped->str, ==, "g1 g2 stop ");
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
    g_assert_cmpint(store_set_reply(f.store, "1", "{}", 0), ==, 0);
    assert_counts(f.store, 2, 1, 0, 0);
    store_rollback(f.store);
    assert_counts(f.store, 3, 0, 0, 0);
    g_assert_cmpint(store_begin(f.store), ==, 0);
    g_assert_cmpint(store_set_reply(f.store, "1", "{}", 0), ==, 0);
    g_assert_cmpint(store_set_reply(f.store, "none", "{}", 0), ==, -ENOENT);
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

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/request", test_request);
    g_test_add_func("/store/exists", test_exists);
    g_test_add_func("/store/transactions", test_transactions);
    g_test_add_func("/store/list", test_list);
    g_test_add_func("/store/counts", test_counts);
    g_test_add_func("/store/empty", test_empty);
    g_test_add_func("/store/foreign", test_foreign);
    g_test_add_func("/store/meta", test_meta);
    return g_test_run();
}
