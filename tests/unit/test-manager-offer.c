/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that handshake offers are bounded and checked, that the token leaves nothing but its hash,
 * and that answers have the keys and types of the protocol. */
#include <glib.h>

#include "dcm-manager/offer.h"

#define TOKEN "secret-canary"

static int parse(const char *text, Offer *ret) {
    const char *error = "";
    int r = offer_parse(text, strlen(text), ret, &error);

    g_assert_true(r >= 0 || r == -EBADMSG || strstr(error, "handshake") || strstr(error, "104"));
    return r;
}

static void test_good(void) {
    char hash[SHA256_HEX_SIZE];
    Offer o = {};

    g_assert_cmpint(parse("{\"token\":\"" TOKEN "\",\"agent_id\":\"a\",\"vm_instance\":null,"
                          "\"injected_id\":12,\"ipv4\":[\"192.0.2.1\"],\"ipv6\":[],"
                          "\"protocol_version\":104,\"features\":{\"plugins\":[]}}",
                          &o),
                    ==, 0);
    sha256_hex(TOKEN, strlen(TOKEN), hash);
    g_assert_cmpstr(o.token_sha256, ==, hash);
    g_assert_null(strstr(json_object_to_json_string(o.json), TOKEN));
    g_assert_cmpstr(o.agent_id, ==, "a");
    g_assert_null(o.vm_instance);
    g_assert_cmpstr(o.injected_id, ==, "12");
    g_assert_cmpuint(json_object_array_length(o.ipv4), ==, 1);
    offer_done(&o);
    g_assert_cmpint(parse("{\"token\":\"t\",\"agent_id\":\"\"}", &o), ==, 0);
    g_assert_null(o.agent_id);
    offer_done(&o);
    g_assert_cmpint(parse("{\"token\":\"t\",\"protocol_version\":104.0}", &o), ==, 0);
    offer_done(&o);
}

static void test_bad(void) {
    static const char *const bad[] = {
        "null",
        "[]",
        "1",
        "{}",
        "{\"token\":null}",
        "{\"token\":\"\"}",
        "{\"token\":[\"x\"]}",
        "{\"token\":\"t\",\"protocol_version\":103}",
        "{\"token\":\"t\",\"protocol_version\":\"x\"}",
        "{\"token\":\"t\",\"agent_id\":{}}",
        "{\"token\":\"t\",\"ipv4\":\"x\"}",
        "{\"token\":\"t\",\"ipv6\":[1]}",
        "{\"token\":\"t\",\"features\":[]}",
        "{\"token\":\"t\",\"agent_id\":\"a\\u0000b\"}",
    };
    g_autofree char *filler = g_strnfill(300000, 'x');
    g_autofree char *large = g_strdup_printf("{\"token\":\"t\",\"version\":\"%s\"}", filler);
    Offer o;

    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
        g_assert_cmpint(parse(bad[i], &o), ==, -EINVAL);
    g_assert_cmpint(parse(large, &o), ==, -EINVAL);
    g_assert_cmpint(parse("{", &o), ==, -EBADMSG);
    g_assert_cmpint(parse("", &o), ==, -EBADMSG);
}

/* Nothing that was not asked for stays, and of a connected agent only the addresses. */
static void test_kept(void) {
    Offer o = {};

    g_assert_cmpint(parse("{\"token\":\"t\",\"more\":[{},{}],\"ipv4\":[\"192.0.2.1\"],"
                          "\"platform\":\"debian\",\"features\":{\"plugins\":[\"x\"]}}",
                          &o),
                    ==, 0);
    g_assert_cmpint(json_object_object_length(o.json), ==, 3);
    g_assert_null(json_get(o.json, "more"));
    g_assert_cmpstr(o.platform, ==, "debian");
    offer_keep_addresses(&o);
    g_assert_cmpint(json_object_object_length(o.json), ==, 1);
    g_assert_cmpuint(json_object_array_length(o.ipv4), ==, 1);
    g_assert_null(o.platform);
    g_assert_null(o.features);
    offer_done(&o);
}

static void test_answers(void) {
    g_autofree char *accepted = NULL, *busy = NULL;
    struct json_object *j, *h;
    size_t size;

    g_assert_cmpint(answer_encode_accepted("a", "s", "n", &accepted, &size), ==, 0);
    j = json_tokener_parse(accepted);
    g_assert_cmpint(json_object_get_int(json_get(j, "return_code")), ==, 200);
    h = json_get(j, "handshake");
    g_assert_cmpint(json_object_object_length(h), ==, 11);
    g_assert_cmpstr(json_get_string(h, "agentID"), ==, "a");
    g_assert_cmpstr(json_get_string(h, "serverName"), ==, "n");
    json_object_put(j);
    g_assert_cmpint(answer_encode_refused(503, "x", 60, &busy, &size), ==, 0);
    j = json_tokener_parse(busy);
    g_assert_cmpint(json_object_get_int(json_get(j, "FORCE_BACKOFF")), ==, 60);
    json_object_put(j);
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/manager/offer/good", test_good);
    g_test_add_func("/manager/offer/bad", test_bad);
    g_test_add_func("/manager/offer/kept", test_kept);
    g_test_add_func("/manager/offer/answers", test_answers);
    return g_test_run();
}
