/* SPDX-License-Identifier: Apache-2.0 */
/* Proves the rule that decides who an agent is: each row of the table in manager/auth.c. */
#include <glib.h>

#include "manager/auth.h"

static void check(AuthVerdict expected, AuthFacts facts, const char *id, const char *instance) {
    Offer offer = {.agent_id = id, .vm_instance = instance};

    facts.offer = &offer;
    g_assert_cmpstr(auth_verdict_to_string(authenticate(&facts)), ==,
                    auth_verdict_to_string(expected));
}

static void test_unknown_token(void) {
    check(AUTH_NEW, (AuthFacts){}, NULL, NULL);
    check(AUTH_NEW, (AuthFacts){}, "agent-of-old", "i-1");
    check(AUTH_UNAUTHORIZED, (AuthFacts){.id_exists = true}, "a", NULL);
    check(AUTH_UNAUTHORIZED, (AuthFacts){.id_exists = true}, "a", "i-1");
    check(AUTH_NEW, (AuthFacts){.id_exists = true, .id_may_renew = true}, "a", "i-2");
}

static void test_known_token(void) {
    AuthFacts f = {.owner_id = "a", .owner_claimed = "old"};

    check(AUTH_KNOWN, f, NULL, NULL);
    check(AUTH_KNOWN, f, "nobody's", NULL);
    check(AUTH_KNOWN, f, "old", NULL);
    f.id_exists = true;
    check(AUTH_KNOWN, f, "a", NULL);
    check(AUTH_KNOWN, f, "old", NULL); /* its answer was lost */
    check(AUTH_UNAUTHORIZED, f, "b", NULL);
    f.id_may_renew = true;
    check(AUTH_UNAUTHORIZED, f, "b", NULL);
}

static void test_instance(void) {
    AuthFacts f = {.owner_id = "a", .owner_instance = "i-1", .id_exists = true};
    Offer connected = {.agent_id = "a", .vm_instance = "i-1"};

    check(AUTH_KNOWN, f, "a", "i-1");
    check(AUTH_KNOWN, f, "a", NULL);
    check(AUTH_STALE, f, "a", "i-2");
    f.connected = &connected;
    check(AUTH_KNOWN, f, "a", "i-1");
    check(AUTH_STALE, f, "a", "i-2");
    check(AUTH_STALE, f, NULL, "i-2");
}

static void check_addresses(AuthVerdict expected, const char *ours, const char *theirs) {
    Offer offer = {.ipv4 = json_tokener_parse(ours)};
    Offer connected = {.ipv4 = json_tokener_parse(theirs)};
    AuthFacts f = {.offer = &offer, .owner_id = "a", .connected = &connected};

    g_assert_cmpint(authenticate(&f), ==, expected);
    json_object_put(offer.ipv4);
    json_object_put(connected.ipv4);
}

static void test_addresses(void) {
    check_addresses(AUTH_KNOWN, "[]", "[]");
    check_addresses(AUTH_KNOWN, "[\"192.0.2.1\"]", "[]");
    check_addresses(AUTH_KNOWN, "[]", "[\"192.0.2.1\"]");
    check_addresses(AUTH_KNOWN, "[\"192.0.2.1\",\"192.0.2.2\"]", "[\"192.0.2.2\"]");
    check_addresses(AUTH_PROBE, "[\"192.0.2.1\"]", "[\"192.0.2.2\"]");
}

/* Every combination has a verdict, and a token that is known never makes a new agent. */
static void test_all(void) {
    static const char *const names[] = {NULL, "a", "b"};
    Offer connected = {};

    for (unsigned i = 0; i < 3 * 3 * 3 * 3 * 8; i++) {
        unsigned rest = i / 81;
        Offer offer = {.agent_id = names[i % 3], .vm_instance = names[i / 3 % 3]};
        AuthFacts f = {
            .offer = &offer,
            .owner_id = names[i / 9 % 3],
            .owner_instance = names[i / 27 % 3],
            .id_exists = rest & 1,
            .id_may_renew = rest & 2,
            .connected = rest & 4 ? &connected : NULL,
        };
        AuthVerdict v = authenticate(&f);

        g_assert_nonnull(auth_verdict_to_string(v));
        g_assert_true(!f.owner_id || v != AUTH_NEW);
        g_assert_true(f.owner_id || v == AUTH_NEW || v == AUTH_UNAUTHORIZED);
    }
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/manager/auth/unknown-token", test_unknown_token);
    g_test_add_func("/manager/auth/known-token", test_known_token);
    g_test_add_func("/manager/auth/instance", test_instance);
    g_test_add_func("/manager/auth/addresses", test_addresses);
    g_test_add_func("/manager/auth/all", test_all);
    return g_test_run();
}
