/* SPDX-License-Identifier: Apache-2.0 */
#include <glib.h>

#include "system/cloud-identity.h"

static void test_types(void) {
    g_assert_cmpstr(cloud_type_find("amazon"), ==, "Amazon");
    g_assert_cmpstr(cloud_type_find("CLOUDSTACK3"), ==, "CloudStack3");
    g_assert_cmpstr(cloud_type_find("unknown"), ==, "UNKNOWN");
    g_assert_null(cloud_type_find("Nimbus"));
    g_assert_null(cloud_type_find(""));
}

static int parse(const char *text, CloudIdentity *ret) {
    return cloud_identity_parse(text, strlen(text), ret);
}

static void test_round_trip(void) {
    char *ipv4[] = {(char *)"192.0.2.1", (char *)"192.0.2.2", NULL}, *ipv6[] = {NULL};
    const CloudIdentity whole = {
        .type = (char *)"Azure",
        .instance_id = (char *)"h:h:h",
        .injected_id = (char *)"\xc3\xa4",
        .vm_id = (char *)"d8e0",
        .ipv4 = ipv4,
        .ipv6 = ipv6,
        .problem = (char *)"half of it",
    };
    _cleanup_(cloud_identity_done) CloudIdentity again = {}, other = {};
    g_autofree char *text = NULL;
    size_t size;

    g_assert_cmpint(cloud_identity_encode(&whole, &text, &size), ==, 0);
    g_assert_cmpint(cloud_identity_parse(text, size, &again), ==, 0);
    g_assert_true(cloud_identity_equal(&whole, &again));
    g_assert_cmpint(parse("{\"type\":\"Azure\"}", &other), ==, 0);
    g_assert_false(cloud_identity_equal(&whole, &other));
    g_assert_null(other.ipv4);
}

static CloudChange replace(CloudIdentity *i, const char *text) {
    CloudIdentity fresh = {};
    CloudChange change;

    g_assert_cmpint(parse(text, &fresh), ==, 0);
    change = cloud_identity_replace(i, &fresh);
    g_assert_null(fresh.type);
    return change;
}

/* Of a cloud with a problem, what is known stays; of another one, nothing does. */
static void test_replace(void) {
    _cleanup_(cloud_identity_done) CloudIdentity i = {};

    g_assert_cmpint(replace(&i, "{\"type\":\"Amazon\",\"problem\":\"p\"}"), ==, CLOUD_CHANGE_ASIDE);
    g_assert_cmpint(replace(&i, "{\"type\":\"Amazon\",\"instance_id\":\"i-1\",\"vm_id\":\"v\","
                                "\"ipv4\":[\"10.0.0.1\"]}"),
                    ==, CLOUD_CHANGE_OFFER);
    g_assert_null(i.problem);
    g_assert_cmpint(replace(&i, "{\"type\":\"Amazon\",\"problem\":\"p\"}"), ==, CLOUD_CHANGE_ASIDE);
    g_assert_cmpstr(i.problem, ==, "p");
    g_assert_cmpstr(i.instance_id, ==, "i-1");
    g_assert_cmpstr(i.vm_id, ==, "v");
    g_assert_cmpstr(i.ipv4[0], ==, "10.0.0.1");
    g_assert_cmpint(replace(&i, "{\"type\":\"Amazon\",\"problem\":\"p\",\"ipv4\":[\"10.0.0.2\"]}"),
                    ==, CLOUD_CHANGE_OFFER);
    g_assert_cmpint(replace(&i, "{\"type\":\"Amazon\",\"problem\":\"p\"}"), ==, CLOUD_CHANGE_NONE);
    /* found by asking, and now silent */
    g_assert_cmpint(replace(&i, "{\"type\":\"UNKNOWN\"}"), ==, CLOUD_CHANGE_ASIDE);
    g_assert_cmpstr(i.type, ==, "Amazon");
    g_assert_cmpstr(i.instance_id, ==, "i-1");
    g_assert_cmpstr(i.problem, ==, "The metadata service no longer answers");
    g_assert_cmpint(replace(&i, "{\"type\":\"Azure\",\"problem\":\"p\"}"), ==, CLOUD_CHANGE_OFFER);
    g_assert_null(i.instance_id);
    g_assert_null(i.ipv4);
}

static void test_refused(void) {
    static const char *const texts[] = {
        "",
        "null",
        "[]",
        "{}",
        "{\"type\":null}",
        "{\"type\":\"Nimbus\"}",
        "{\"type\":\"Other\",\"instance_id\":\"\"}",
        "{\"type\":\"Other\",\"instance_id\":\"a\\nb\"}",
        "{\"type\":\"Other\",\"instance_id\":\"a\\u0000b\"}",
        "{\"type\":\"Other\",\"injected_id\":[]}",
        "{\"type\":\"Other\",\"problem\":\"\\u007f\"}",
        "{\"type\":\"Other\",\"ipv4\":\"192.0.2.1\"}",
        "{\"type\":\"Other\",\"ipv4\":[1]}",
        "{\"type\":\"Other\",\"ipv4\":[\"::1\"]}",
        "{\"type\":\"Other\",\"ipv6\":[\"192.0.2.1\"]}",
        "{\"type\":\"Other\",\"ipv4\":[\"1.1.1.1\",\"1.1.1.1\",\"1.1.1.1\",\"1.1.1.1\",\"1.1.1.1\","
        "\"1.1.1.1\",\"1.1.1.1\",\"1.1.1.1\",\"1.1.1.1\",\"1.1.1.1\",\"1.1.1.1\",\"1.1.1.1\","
        "\"1.1.1.1\",\"1.1.1.1\",\"1.1.1.1\",\"1.1.1.1\",\"1.1.1.1\"]}",
    };
    CloudIdentity i = {};

    for (size_t k = 0; k < G_N_ELEMENTS(texts); k++)
        g_assert_cmpint(parse(texts[k], &i), ==, -EBADMSG);
    g_assert_null(i.type);
}

/* An id that no manager would take in a handshake keeps no agent out: it is none. */
static void test_value(void) {
    g_autofree char *longest = g_strnfill(512, 'x'), *longer = g_strnfill(513, 'x');

    g_assert_true(cloud_value_is_valid("i-0123"));
    g_assert_true(cloud_value_is_valid(longest));
    g_assert_false(cloud_value_is_valid(longer));
    g_assert_false(cloud_value_is_valid(""));
    g_assert_false(cloud_value_is_valid("a\nb"));
    g_assert_false(cloud_value_is_valid("a\xc2\x9b"
                                        "b"));
    g_assert_false(cloud_value_is_valid("a\xff"));
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cloud-identity/types", test_types);
    g_test_add_func("/cloud-identity/round-trip", test_round_trip);
    g_test_add_func("/cloud-identity/replace", test_replace);
    g_test_add_func("/cloud-identity/refused", test_refused);
    g_test_add_func("/cloud-identity/value", test_value);
    return g_test_run();
}
