/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that what is final is forgotten by running time, and what is open never. */
#include "basic/bounds.h"
#include "store-fixture.h"
#include "store/schema.h"

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

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store-retention/retention", test_retention);
    g_test_add_func("/store-retention/skip-expired", test_skip_expired);
    return g_test_run();
}
