/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that the offer has every key with its type, and that no answer of a manager, however
 * hostile, is more than an answer or a refusal: waits stay in their bounds. */
#include <glib.h>

#include "basic/bounds.h"
#include "proto/handshake.h"

#define DEFAULT_USEC (60 * USEC_PER_SEC)
#define LONGEST_USEC (24 * 3600 * USEC_PER_SEC)

static void test_offer(void) {
    char *ipv4[] = {(char[]){"192.0.2.2"}, (char[]){"192.0.2.3"}, NULL};
    _cleanup_json_ struct json_object *features = json_object_new_object();
    _cleanup_free_ char *full = NULL, *empty = NULL;
    HandshakeOffer o = {.ipv4 = ipv4,
                        .agent_id = "agent-1",
                        .token = "secret",
                        .vm_instance = "i-1",
                        .injected_id = "inj",
                        .version = "2.0",
                        .platform = "debian",
                        .platform_version = "12",
                        .host_name = "web1",
                        .enrolment_token = "once",
                        .features = features};
    size_t size = 0;

    g_assert_cmpint(json_add_bool(features, "mount", true), ==, 0);
    g_assert_cmpint(handshake_offer_encode(&o, &full, &size), ==, 0);
    g_assert_cmpuint(size, ==, strlen(full));
    g_assert_cmpstr(
        full, ==,
        "{\"ipv4\":[\"192.0.2.2\",\"192.0.2.3\"],\"ipv6\":[],\"agent_id\":\"agent-1\","
        "\"token\":\"secret\",\"vm_instance\":\"i-1\",\"injected_id\":\"inj\",\"version\":\"2.0\","
        "\"protocol_version\":104,\"platform\":\"debian\",\"platform_version\":\"12\","
        "\"host_name\":\"web1\",\"enrolment_token\":\"once\",\"features\":{\"mount\":true}}");

    o = (HandshakeOffer){.token = "secret", .version = "2.0", .features = features};
    g_assert_cmpint(handshake_offer_encode(&o, &empty, NULL), ==, 0);
    g_assert_nonnull(strstr(empty, "\"agent_id\":null"));
    g_assert_nonnull(strstr(empty, "\"vm_instance\":null,\"injected_id\":null"));
    g_assert_nonnull(strstr(empty, "\"ipv4\":[],\"ipv6\":[]"));
    g_assert_nonnull(strstr(empty, "\"host_name\":null"));
    g_assert_null(strstr(empty, "enrolment_token"));
}

static void test_answer_accepted(void) {
    static const char text[] =
        "{\"return_code\":200,\"handshake\":{\"version\":\"1\",\"agentID\":17,\"customerId\":\"c\","
        "\"serverId\":1.5,\"serverName\":\"web1\",\"pk\":null,\"cloudDelegate\":null}}";
    _cleanup_(handshake_answer_done) HandshakeAnswer a = {};

    _cleanup_free_ char *error = NULL;

    g_assert_cmpint(handshake_answer_parse(text, strlen(text), &a, &error), ==, 0);
    g_assert_cmpint(a.return_code, ==, HANDSHAKE_ACCEPTED);
    g_assert_cmpstr(a.agent_id, ==, "17");
    g_assert_cmpstr(a.customer_id, ==, "c");
    g_assert_cmpstr(a.server_id, ==, "1.5");
    g_assert_cmpstr(a.server_name, ==, "web1");
}

static void test_answers(void) {
    static const struct {
        const char *text;
        int result, return_code;
        const char *agent_id;
    } cases[] = {
        {"{\"return_code\":200}", 0, 200, NULL},
        {"{\"return_code\":200,\"handshake\":null}", 0, 200, NULL},
        {"{\"return_code\":200,\"handshake\":[]}", 0, 200, NULL},
        {"{\"return_code\":200,\"handshake\":{\"agentID\":null}}", 0, 200, NULL},
        {"{\"return_code\":200,\"handshake\":{\"agentID\":[]}}", -EINVAL, 0, NULL},
        {"{\"return_code\":200,\"handshake\":{\"agentID\":true}}", -EINVAL, 0, NULL},
        {"{\"return_code\":200,\"handshake\":{\"agentID\":\"a\\u0000b\"}}", -EINVAL, 0, NULL},
        {"{\"return_code\":200,\"handshake\":{\"agentID\":\"\"}}", 0, 200, NULL},
        {"{\"return_code\":401}", 0, 401, NULL},
        {"{\"return_code\":409}", 0, 409, NULL},
        {"{\"return_code\":503}", 0, 503, NULL},
        {"{\"return_code\":-1}", 0, -1, NULL},
        {"{\"return_code\":99999999999999}", 0, INT32_MAX, NULL},
        {"{\"return_code\":\"200\"}", -EBADMSG, 0, NULL},
        {"{\"return_code\":200.0}", 0, 200, NULL},
        {"{\"return_code\":200.5}", -EBADMSG, 0, NULL},
        {"{\"return_code\":null}", -EBADMSG, 0, NULL},
        {"{\"return_code\":true}", -EBADMSG, 0, NULL},
        {"{}", -EBADMSG, 0, NULL},
        {"[]", -EBADMSG, 0, NULL},
        {"200", -EBADMSG, 0, NULL},
        {"null", -EBADMSG, 0, NULL},
        {"", -EBADMSG, 0, NULL},
        {"HTTP/1.1 400 Bad Request", -EBADMSG, 0, NULL},
        {"{\"return_code\":200} x", -EBADMSG, 0, NULL},
        {"{\"return_code\":200,\"x\":\"\xff\"}", -EBADMSG, 0, NULL},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_(handshake_answer_done) HandshakeAnswer a = {};
        _cleanup_free_ char *error = NULL;
        int r = handshake_answer_parse(cases[i].text, strlen(cases[i].text), &a, &error);

        if (r != cases[i].result || a.return_code != cases[i].return_code)
            g_error("%s: %d, %d", cases[i].text, r, a.return_code);
        g_assert_cmpstr(a.agent_id, ==, cases[i].agent_id);
    }
}

/* What is stored, shown, or told to systemd is refused where it could mean something else there;
 * the text says which field, and why. */
static void test_hostile_texts(void) {
    static const char *const keys[] = {"agentID", "customerId", "serverId", "serverName"};
    g_autofree char *long_text = g_strnfill(513, 'x');
    const struct {
        const char *value, *fault;
    } cases[] = {
        {"n\\nWATCHDOG=trigger", "has control characters"},
        {"n\\rx", "has control characters"},
        {"\\u001b[31m", "has control characters"},
        {"\\u007f", "has control characters"},
        {"\\u009b31m", "has control characters"},
        {"\xc2\x9b", "has control characters"},
        {"\\u0000", "has control characters"},
        {long_text, "is longer than 512 bytes"},
    };

    for (size_t k = 0; k < ELEMENTSOF(keys); k++)
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
            g_autofree char *text = g_strdup_printf(
                "{\"return_code\":200,\"handshake\":{\"%s\":\"%s\"}}", keys[k], cases[i].value);
            g_autofree char *expected = g_strdup_printf("'%s' %s", keys[k], cases[i].fault);
            _cleanup_(handshake_answer_done) HandshakeAnswer a = {};
            _cleanup_free_ char *error = NULL;

            g_assert_cmpint(handshake_answer_parse(text, strlen(text), &a, &error), ==, -EINVAL);
            g_assert_cmpstr(error, ==, expected);
            g_assert_null(a.agent_id);
        }
}

/* What people are told of an answer that does not accept; what the manager says is shown if it may
 * be. */
static void test_refusals(void) {
    static const struct {
        const char *text, *told;
    } cases[] = {
        {"{\"return_code\":401}",
         "the manager does not authorise this agent (401), or not yet; approve this server in the "
         "manager, or check its entry there"},
        {"{\"return_code\":503,\"error_message\":\"\"}", "the manager asked for a pause (503)"},
        {"{\"return_code\":426,\"error_message\":\"protocol%20105%20only\"}",
         "the manager refused with code 426; see its log; it says: protocol 105 only"},
        {"{\"return_code\":500,\"error_message\":\"x\\u001b[31m\"}",
         "the manager refused with code 500; see its log"},
        {"{\"return_code\":500,\"error_message\":\"%1b%0a\"}",
         "the manager refused with code 500; see its log"},
        {"{\"return_code\":500,\"error_message\":[]}",
         "the manager refused with code 500; see its log"},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_(handshake_answer_done) HandshakeAnswer a = {};
        _cleanup_free_ char *error = NULL;
        char told[1024];

        g_assert_cmpint(handshake_answer_parse(cases[i].text, strlen(cases[i].text), &a, &error),
                        ==, 0);
        handshake_refusal_format(&a, told, sizeof(told));
        g_assert_cmpstr(told, ==, cases[i].told);
    }
}

static void test_force_backoff(void) {
    static const struct {
        const char *value;
        uint64_t usec;
    } cases[] = {
        {"0", 0},
        {"0.5", USEC_PER_SEC / 2},
        {"1", USEC_PER_SEC},
        {"90", 90 * USEC_PER_SEC},
        {"\"90\"", 90 * USEC_PER_SEC},
        {"86400", LONGEST_USEC},
        {"86401", LONGEST_USEC},
        {"1e308", LONGEST_USEC},
        {"9223372036854775807", LONGEST_USEC},
        {"18446744073709551616", LONGEST_USEC},
        {"-1", DEFAULT_USEC},
        {"-1e308", DEFAULT_USEC},
        {"NaN", DEFAULT_USEC},
        {"\"NaN\"", DEFAULT_USEC},
        {"null", DEFAULT_USEC},
        {"\"soon\"", DEFAULT_USEC},
        {"\"\"", DEFAULT_USEC},
        {"true", DEFAULT_USEC},
        {"[]", DEFAULT_USEC},
        {"{}", DEFAULT_USEC},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        g_autofree char *text =
            g_strdup_printf("{\"return_code\":503,\"FORCE_BACKOFF\":%s}", cases[i].value);
        _cleanup_(handshake_answer_done) HandshakeAnswer a = {};

        _cleanup_free_ char *error = NULL;

        g_assert_cmpint(handshake_answer_parse(text, strlen(text), &a, &error), ==, 0);
        if (a.force_backoff_usec != cases[i].usec)
            g_error("%s: %" G_GUINT64_FORMAT, cases[i].value, a.force_backoff_usec);
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/handshake/offer", test_offer);
    g_test_add_func("/handshake/answer-accepted", test_answer_accepted);
    g_test_add_func("/handshake/answers", test_answers);
    g_test_add_func("/handshake/hostile-texts", test_hostile_texts);
    g_test_add_func("/handshake/refusals", test_refusals);
    g_test_add_func("/handshake/force-backoff", test_force_backoff);
    return g_test_run();
}
