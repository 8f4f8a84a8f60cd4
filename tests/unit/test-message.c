/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that each type is read and written as the protocol says, that bad input always gives a
 * text for a NACK and the request_id where there is one, and that replies have all of their keys.
 */
#include <glib.h>

#include "basic/bounds.h"
#include "proto/message.h"

static void test_types(void) {
    static const char *const names[_MESSAGE_MAX] = {
        "REQUEST", "ACK",   "NACK",      "REPLY",   "CANCEL",     "STATUS",
        "LOG",     "ALERT", "ALERT_ACK", "HEMLOCK", "UNREGISTER", "UNREGISTER_ACK"};

    for (MessageType t = 0; t < _MESSAGE_MAX; t++) {
        g_assert_cmpstr(message_type_to_string(t), ==, names[t]);
        g_assert_cmpint(message_type_from_string(names[t]), ==, t);
    }
    g_assert_null(message_type_to_string(_MESSAGE_MAX));
    g_assert_null(message_type_to_string(_MESSAGE_INVALID));
    g_assert_cmpint(message_type_from_string("request"), ==, _MESSAGE_INVALID);
    g_assert_cmpint(message_type_from_string(""), ==, _MESSAGE_INVALID);
}

static void test_parse(void) {
    static const struct {
        const char *text;
        int result;
        MessageType type;
        const char *request_id, *message_id;
    } cases[] = {
        {"{\"type\":\"REQUEST\",\"request_id\":\"g\",\"message_id\":\"m\"}", 0, MESSAGE_REQUEST,
         "g", "m"},
        {"{\"type\":\"ACK\",\"request_id\":\"g\"}", 0, MESSAGE_ACK, "g", NULL},
        {"{\"type\":\"ACK\",\"request_id\":\"g\",\"message_id\":5}", 0, MESSAGE_ACK, "g", NULL},
        {"{\"type\":\"LOG\",\"level\":\"INFO\"}", 0, MESSAGE_LOG, NULL, NULL},
        {"{\"type\":\"HEMLOCK\",\"request_id\":\"g\"}", 0, MESSAGE_HEMLOCK, "g", NULL},
        {"{\"type\":\"REQUEST\"}", -EBADMSG, MESSAGE_REQUEST, NULL, NULL},
        {"{\"type\":\"REQUEST\",\"request_id\":null}", -EBADMSG, MESSAGE_REQUEST, NULL, NULL},
        {"{\"type\":\"REQUEST\",\"request_id\":5}", -EBADMSG, MESSAGE_REQUEST, NULL, NULL},
        {"{\"type\":\"REQUEST\",\"request_id\":\"\"}", -EBADMSG, MESSAGE_REQUEST, NULL, NULL},
        {"{\"type\":\"REQUEST\",\"request_id\":\"a\\nb\"}", -EBADMSG, MESSAGE_REQUEST, NULL, NULL},
        {"{\"type\":\"REQUEST\",\"request_id\":\"a\\u0000b\"}", -EBADMSG, MESSAGE_REQUEST, NULL,
         NULL},
        {"{\"type\":\"request\",\"request_id\":\"g\"}", -EBADMSG, _MESSAGE_INVALID, "g", NULL},
        {"{\"type\":\"NONSENSE\",\"request_id\":\"g\"}", -EBADMSG, _MESSAGE_INVALID, "g", NULL},
        {"{\"type\":7,\"request_id\":\"g\"}", -EBADMSG, _MESSAGE_INVALID, "g", NULL},
        {"{\"request_id\":\"g\"}", -EBADMSG, _MESSAGE_INVALID, "g", NULL},
        {"{}", -EBADMSG, _MESSAGE_INVALID, NULL, NULL},
        {"[]", -EBADMSG, _MESSAGE_INVALID, NULL, NULL},
        {"null", -EBADMSG, _MESSAGE_INVALID, NULL, NULL},
        {"\"REQUEST\"", -EBADMSG, _MESSAGE_INVALID, NULL, NULL},
        {"hello", -EBADMSG, _MESSAGE_INVALID, NULL, NULL},
        {"", -EBADMSG, _MESSAGE_INVALID, NULL, NULL},
        {"{\"type\":\"LOG\\xff\"}", -EBADMSG, _MESSAGE_INVALID, NULL, NULL},
        {"{\"type\":\"\xff\"}", -EILSEQ, _MESSAGE_INVALID, NULL, NULL},
        {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", -ELOOP, _MESSAGE_INVALID, NULL, NULL},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        const char *error = "unset";
        Message m;
        int r = message_parse(cases[i].text, strlen(cases[i].text), &m, &error);

        if (r != cases[i].result || m.type != cases[i].type || !error != (r == 0))
            g_error("%s: result %d, type %d, error %s", cases[i].text, r, m.type, error);
        g_assert_cmpstr(m.request_id, ==, cases[i].request_id);
        g_assert_cmpstr(m.message_id, ==, cases[i].message_id);
        message_done(&m);
        g_assert_null(m.json);
    }
}

static void test_request_id_bound(void) {
    for (size_t size = GUID_SIZE_MAX; size <= GUID_SIZE_MAX + 1; size++) {
        g_autofree char *guid = g_strnfill(size, 'x');
        g_autofree char *text = g_strdup_printf("{\"type\":\"ACK\",\"request_id\":\"%s\"}", guid);
        const char *error;
        Message m;

        g_assert_cmpint(message_parse(text, strlen(text), &m, &error), ==,
                        size <= GUID_SIZE_MAX ? 0 : -EBADMSG);
        message_done(&m);
    }
}

static void assert_encodes(struct json_object *o, const char *expected) {
    _cleanup_free_ char *text = NULL;

    g_assert_cmpint(json_encode(o, &text, NULL), ==, 0);
    g_assert_cmpstr(text, ==, expected);
}

static void test_new(void) {
    _cleanup_json_ struct json_object *full = NULL, *small = NULL, *log = NULL;

    g_assert_cmpint(message_new(MESSAGE_ACK, "m1", "g", "user_accepts", "agent-1", &full), ==, 0);
    assert_encodes(full, "{\"type\":\"ACK\",\"message_id\":\"m1\",\"request_id\":\"g\","
                         "\"entity\":\"user_accepts\",\"agent_id\":\"agent-1\"}");
    g_assert_cmpint(message_new(MESSAGE_NACK, "m2", REQUEST_ID_UNKNOWN, NULL, NULL, &small), ==, 0);
    assert_encodes(small, "{\"type\":\"NACK\",\"message_id\":\"m2\",\"request_id\":\"DEADBEEF\"}");
    g_assert_cmpint(message_new_log("INFO", "The job \xc3\xa4.", &log), ==, 0);
    assert_encodes(log, "{\"type\":\"LOG\",\"token\":\"\",\"level\":\"INFO\","
                        "\"message\":\"The%20job%20%C3%A4.\"}");
}

static void test_log_bound(void) {
    g_autofree char *text = g_strnfill(LOG_MESSAGE_MAX * 2, ' ');
    _cleanup_json_ struct json_object *o = NULL;

    g_assert_cmpint(message_new_log("INFO", text, &o), ==, 0);
    g_assert_cmpuint(strlen(json_get_string(o, "message")), ==, LOG_MESSAGE_MAX * 3);
}

static void test_reply(void) {
    _cleanup_json_ struct json_object *plain = NULL, *with = NULL, *error = NULL;

    g_assert_cmpint(reply_new(0, "string", json_object_new_string("STARTING"), "m", "e", &with), ==,
                    0);
    assert_encodes(with,
                   "{\"return_code\":0,\"reply_type\":\"string\",\"reply_object\":\"STARTING\","
                   "\"message\":\"m\",\"error_message\":\"e\"}");
    g_assert_cmpint(reply_new(-9, "void", NULL, NULL, NULL, &plain), ==, 0);
    assert_encodes(plain, "{\"return_code\":-9,\"reply_type\":\"void\",\"reply_object\":null,"
                          "\"message\":\"\",\"error_message\":\"\"}");
    g_assert_cmpint(reply_new_error("no such thing", &error), ==, 0);
    assert_encodes(error, "{\"return_code\":1,\"reply_type\":\"void\",\"reply_object\":null,"
                          "\"message\":\"\",\"error_message\":\"no%20such%20thing\"}");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/message/types", test_types);
    g_test_add_func("/message/parse", test_parse);
    g_test_add_func("/message/request-id-bound", test_request_id_bound);
    g_test_add_func("/message/new", test_new);
    g_test_add_func("/message/log-bound", test_log_bound);
    g_test_add_func("/message/reply", test_reply);
    return g_test_run();
}
