/* SPDX-License-Identifier: Apache-2.0 */
/* Proves the rule that decides who an agent is: each row of the table in dcm-manager/auth.c. */
#include <glib.h>

#include "dcm-manager/auth.h"

static const char *name_of(AuthVerdict v) {
    static const char *const names[_AUTH_MAX] = {
        [AUTH_KNOWN] = "known", [AUTH_NEW] = "new",
        [AUTH_PROBE] = "probe", [AUTH_UNAUTHORIZED] = "unauthorized",
        [AUTH_STALE] = "stale",
    };

    return v >= 0 && v < _AUTH_MAX ? names[v] : NULL;
}

static void check(AuthVerdict expected, AuthFacts facts, const char *id, const char *instance) {
    Offer offer = {.agent_id = id, .vm_instance = instance};

    facts.offer = &offer;
    g_assert_cmpstr(name_of(authenticate(&facts)), ==, name_of(expected));
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

/* Two machines that have one of these, and another one each, are told apart. */
static void test_addresses_of_many(void) {
    static const char *const many[] = {
        "127.0.0.1",  "127.1.2.3",  "0.0.0.0",       "169.254.10.20", "224.0.0.1", "10.0.2.15",
        "172.17.0.1", "172.18.0.1", "192.168.122.1", "10.88.0.1",     "10.42.0.0",
    };
    static const char *const many_ipv6[] = {
        "::",      "::1",     "fe80::1",          "fe80::5054:ff:fe12:3456%eth0",
        "ff02::1", "fd00::1", "::ffff:127.0.0.1", "::ffff:172.17.0.1",
    };
    static const char *const own[] = {
        "192.0.2.1", "10.1.2.3", "172.17.0.2", "172.32.0.1", "10.0.2.16", "100.64.0.1",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(many); i++) {
        g_autofree char *ours = g_strdup_printf("[\"%s\",\"192.0.2.1\"]", many[i]);
        g_autofree char *theirs = g_strdup_printf("[\"192.0.2.2\",\"%s\"]", many[i]);
        g_autofree char *alone = g_strdup_printf("[\"%s\"]", many[i]);

        check_addresses(AUTH_PROBE, ours, theirs);
        check_addresses(AUTH_PROBE, alone, alone);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(many_ipv6); i++) {
        g_autofree char *alone = g_strdup_printf("[\"%s\"]", many_ipv6[i]);

        check_addresses(AUTH_PROBE, alone, alone);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(own); i++) {
        g_autofree char *both = g_strdup_printf("[\"%s\",\"172.17.0.1\"]", own[i]);

        check_addresses(AUTH_KNOWN, both, both);
    }
    check_addresses(AUTH_KNOWN, "[\"2001:db8::1\"]", "[\"2001:db8::1\"]");
    check_addresses(AUTH_KNOWN, "[\"fd12:3456::5054:1\"]", "[\"fd12:3456::5054:1\"]");
    check_addresses(AUTH_PROBE, "[\"nonsense\"]", "[\"nonsense\"]");
}

/* Copies that push each other out, whatever they have in common; a server that is elsewhere now is
 * told apart as before. */
static void test_contested(void) {
    Offer connected = {.vm_instance = "i-1"};
    AuthFacts f = {.owner_id = "a", .owner_instance = "i-1", .id_exists = true};

    f.is_contested = true; /* by nobody who is connected */
    check(AUTH_KNOWN, f, "a", "i-1");
    f.connected = &connected;
    check(AUTH_PROBE, f, "a", "i-1");
    check(AUTH_PROBE, f, "a", NULL);
    check(AUTH_STALE, f, "a", "i-2");
    f.id_exists = true;
    check(AUTH_UNAUTHORIZED, f, "b", "i-1");
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

        g_assert_nonnull(name_of(v));
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
    g_test_add_func("/manager/auth/addresses-of-many", test_addresses_of_many);
    g_test_add_func("/manager/auth/contested", test_contested);
    g_test_add_func("/manager/auth/all", test_all);
    return g_test_run();
}
