/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that what has to be remembered of a command is stored with its reply or not at all, and
 * that the users that the agent has made are known over restarts. */
#include "job/effect.h"
#include "store-fixture.h"
#include "store/stat-row.h"
#include "store/user-row.h"

static int on_user(const StoredUser *user, void *userdata) {
    g_string_append_printf(userdata, "%s/%s/%d ", user->name, user->agent_id ?: "-",
                           user->is_administrator);
    g_assert_cmpuint(user->created_usec, >, 1700000000000000);
    return 0;
}

static void assert_users(Store *s, const char *expected) {
    g_autoptr(GString) found = g_string_new(NULL);

    g_assert_cmpint(store_visit_users(s, on_user, found), ==, 0);
    g_assert_cmpstr(found->str, ==, expected);
}

static void take(Store *s, const Effect *e, const char *agent_id) {
    g_assert_cmpint(store_begin(s), ==, 0);
    g_assert_cmpint(effect_store(e, s, "guid", agent_id), ==, 0);
    g_assert_cmpint(store_commit(s), ==, 0);
}

static void test_users(void) {
    _cleanup_fixture_ Fixture f = {};
    Effect alice = {.user = (char[]){"alice"}, .user_is_there = true};
    Effect bob = {.user = (char[]){"bob"}, .user_is_there = true, .is_administrator = true};

    fixture_init(&f);
    assert_users(f.store, "");
    g_assert_cmpint(store_has_user(f.store, "alice"), ==, 0);
    take(f.store, &bob, NULL);
    take(f.store, &alice, "agent-1");
    reopen(&f);
    assert_users(f.store, "alice/agent-1/0 bob/-/1 ");
    g_assert_cmpint(store_has_user(f.store, "alice"), ==, 1);
    alice.is_administrator = true;
    take(f.store, &alice, "agent-2");
    assert_users(f.store, "alice/agent-1/1 bob/-/1 "); /* the owner stays */
    bob.user_is_there = false;
    take(f.store, &bob, NULL);
    take(f.store, &bob, NULL);
    assert_users(f.store, "alice/agent-1/1 ");
}

static void test_facts(void) {
    static const struct {
        Effect effect;
        const char *initialized, *terminating;
    } cases[] = {
        {{}, NULL, NULL},
        {{.initialized = true}, "yes", NULL},
        {{.terminating = true}, "yes", "strict guid"},
        {{.terminating = true, .ignoring = true}, "yes", "ignoring guid"},
    };
    _cleanup_fixture_ Fixture f = {};

    fixture_init(&f);
    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_free_ char *initialized = NULL, *terminating = NULL;

        take(f.store, &cases[i].effect, NULL);
        g_assert_cmpint(store_get_meta(f.store, STORE_META_INITIALIZED, &initialized), ==, 0);
        g_assert_cmpint(store_get_meta(f.store, STORE_META_TERMINATING, &terminating), ==, 0);
        g_assert_cmpstr(initialized, ==, cases[i].initialized);
        g_assert_cmpstr(terminating, ==, cases[i].terminating);
    }
}

static int on_stat(const StoredStat *stat, void *userdata) {
    g_string_append_printf(userdata, "%s/%s/%u/%u ", stat->name, stat->type, (unsigned)stat->hold,
                           (unsigned)stat->interval_usec);
    return 0;
}

static void assert_stats(Store *s, const char *expected) {
    g_autoptr(GString) found = g_string_new(NULL);

    g_assert_cmpint(store_visit_stats(s, on_stat, found), ==, 0);
    g_assert_cmpstr(found->str, ==, expected);
}

static void test_stats(void) {
    _cleanup_fixture_ Fixture f = {};
    Effect b = {.stat = (char[]){"b"},
                .stat_type = (char[]){"load"},
                .stat_hold = 5,
                .stat_interval_usec = 100000};
    Effect a = {.stat = (char[]){"a"}, .stat_type = (char[]){"memory"}, .stat_hold = 1};

    fixture_init(&f);
    assert_stats(f.store, "");
    take(f.store, &b, NULL);
    take(f.store, &a, NULL);
    reopen(&f);
    assert_stats(f.store, "a/memory/1/0 b/load/5/100000 ");
    b.stat_hold = 6;
    take(f.store, &b, NULL); /* made once more, after a restart */
    assert_stats(f.store, "a/memory/1/0 b/load/6/100000 ");
    a.stat_type = NULL;
    take(f.store, &a, NULL);
    take(f.store, &a, NULL);
    assert_stats(f.store, "b/load/6/100000 ");
}

static void test_rolled_back(void) {
    _cleanup_fixture_ Fixture f = {};
    const Effect e = {.initialized = true,
                      .user = (char[]){"x"},
                      .user_is_there = true,
                      .stat = (char[]){"s"},
                      .stat_type = (char[]){"load"}};
    _cleanup_free_ char *initialized = NULL;

    fixture_init(&f);
    g_assert_cmpint(store_begin(f.store), ==, 0);
    g_assert_cmpint(effect_store(&e, f.store, "guid", NULL), ==, 0);
    store_rollback(f.store);
    g_assert_cmpint(store_get_meta(f.store, STORE_META_INITIALIZED, &initialized), ==, 0);
    g_assert_null(initialized);
    assert_users(f.store, "");
    assert_stats(f.store, "");
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/effect/users", test_users);
    g_test_add_func("/effect/facts", test_facts);
    g_test_add_func("/effect/stats", test_stats);
    g_test_add_func("/effect/rolled-back", test_rolled_back);
    return g_test_run();
}
