/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that type and ids of a message are found wherever they stand and however it is cut in
 * pieces, and that nothing further in is taken for them. */
#include <dlfcn.h>
#include <glib.h>

#include "basic/bounds.h"
#include "proto/message-skim.h"

static unsigned n_parsed;

struct json_tokener *json_tokener_new_ex(int depth) {
    struct json_tokener *(*next)(int) = dlsym(RTLD_NEXT, __func__);

    n_parsed++;
    return next(depth);
}

static void skim(const char *text, size_t piece, MessageType type, const char *request_id,
                 const char *message_id) {
    _cleanup_(message_skim_freep) MessageSkim *s = NULL;
    _cleanup_(message_done) Message m = {};
    const char *error = NULL;
    size_t size = strlen(text);

    g_assert_cmpint(message_skim_new(&s), ==, 0);
    for (size_t i = 0; i < size; i += piece)
        message_skim_feed(s, text + i, MIN(piece, size - i));
    g_assert_cmpint(message_skim_finish(s, &m, &error), ==, type >= 0 && request_id ? 0 : -EBADMSG);
    g_assert_cmpint(m.type, ==, type);
    g_assert_cmpstr(m.request_id, ==, request_id);
    g_assert_cmpstr(m.message_id, ==, message_id);
}

static void test_found(void) {
    static const struct {
        const char *text;
        MessageType type;
        const char *request_id, *message_id;
    } cases[] = {
        {"{\"type\":\"REPLY\",\"request_id\":\"g\",\"message_id\":\"m\"}", MESSAGE_REPLY, "g", "m"},
        {" { \"message_id\" : \"m\" , \"payload\" : {\"x\":[\"}\"]} ,\n\"request_id\" : \"g\", "
         "\"type\" : \"ALERT\" } ",
         MESSAGE_ALERT, "g", "m"},
        {"{\"payload\":{\"type\":\"NACK\",\"request_id\":\"other\"},\"type\":\"REPLY\","
         "\"request_id\":\"g\"}",
         MESSAGE_REPLY, "g", NULL},
        {"{\"payload\":\"{\\\"request_id\\\":\\\"other\\\"}\",\"request_id\":\"g\","
         "\"type\":\"REPLY\"}",
         MESSAGE_REPLY, "g", NULL},
        {"{\"x\":\"request_id\",\"request_id\":\"g\",\"y\":\"type\",\"type\":\"REPLY\"}",
         MESSAGE_REPLY, "g", NULL},
        {"{\"request_id\":\"a\\\"b\\\\\",\"type\":\"REPLY\"}", MESSAGE_REPLY, "a\"b\\", NULL},
        {"{\"request_id\":\"\\u0067\",\"type\":\"REPLY\"}", MESSAGE_REPLY, "g", NULL},
        {"{\"type\":\"REPLY\",\"request_id\":\"g\",\"payload\":[[[[ no JSON", MESSAGE_REPLY, "g",
         NULL},
        {"{\"type\":\"REPLY\",\"request_id\":\"g", MESSAGE_REPLY, NULL, NULL},
        {"{\"type\":\"NEWS\",\"request_id\":\"g\"}", _MESSAGE_INVALID, "g", NULL},
        {"{\"t\\u0079pe\":\"REPLY\",\"request\\u005fid\":\"g\"}", MESSAGE_REPLY, "g", NULL},
        {"{\"\\u0074\\u0079\\u0070\\u0065\":\"REPLY\",\"request_id\":\"g\"}", MESSAGE_REPLY, "g",
         NULL},
        {"{\"type\\u0000x\":\"REPLY\",\"request_id\":\"g\"}", MESSAGE_REPLY, "g", NULL},
        {"{\"\\\\u0074ype\":\"REPLY\",\"typ\":\"REPLY\",\"types\":\"REPLY\",\"\\u0174ype\":"
         "\"REPLY\","
         "\"request_id\":\"g\"}",
         _MESSAGE_INVALID, "g", NULL},
        {"{\"request_id\":\"a\",\"type\":\"ACK\",\"request_id\":\"g\",\"type\":\"REPLY\"}",
         MESSAGE_REPLY, "g", NULL},
        {"{\"type\":\"REPLY\",\"request_id\":\"g\",\"request_id\":7}", MESSAGE_REPLY, NULL, NULL},
        {"[\"type\",\"REPLY\",\"request_id\",\"g\"]", _MESSAGE_INVALID, NULL, NULL},
        {"[{\"type\":\"REPLY\",\"request_id\":\"g\"}]", _MESSAGE_INVALID, NULL, NULL},
        {"]]]}}{\"type\":\"REPLY\",\"request_id\":\"g\"}", MESSAGE_REPLY, "g", NULL},
        {"{\"type\":{\"a\":\"REPLY\"},\"request_id\":[\"g\"]}", _MESSAGE_INVALID, NULL, NULL},
        {"\"type\":\"REPLY\"", _MESSAGE_INVALID, NULL, NULL},
        {"", _MESSAGE_INVALID, NULL, NULL},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        for (size_t piece = 1; piece <= 64; piece++)
            skim(cases[i].text, piece, cases[i].type, cases[i].request_id, cases[i].message_id);
}

/* The longest id that is one, written as long as can be; and keys and ids that are too long. */
static void test_long(void) {
    g_autofree char *id = g_strnfill(GUID_SIZE_MAX, 'g'), *more = g_strnfill(100000, 'g');
    g_autofree char *long_id = g_strdup_printf("{\"type\":\"REPLY\",\"request_id\":\"%s\"}", id);
    g_autofree char *longer_id = g_strdup_printf(
        "{\"%s\":\"%s\",\"type\":\"REPLY\",\"request_id\":\"%s\"}", more, more, more);
    GString *escaped = g_string_new("{\"type\":\"REPLY\",\"request_id\":\"");

    for (size_t i = 0; i < GUID_SIZE_MAX; i++)
        g_string_append(escaped, "\\u0067");
    g_string_append(escaped, "\"}");
    skim(long_id, 1000, MESSAGE_REPLY, id, NULL);
    skim(escaped->str, 1000, MESSAGE_REPLY, id, NULL);
    skim(longer_id, 1000, MESSAGE_REPLY, NULL, NULL);
    g_string_free(escaped, TRUE);
}

/* A message may have a hundred million members: what is looked at of each must cost next to
 * nothing. */
static void test_many_members(void) {
    g_autoptr(GString) text = g_string_new("{\"type\":\"REPLY\",\"request_id\":\"g\"");

    for (size_t i = 0; i < 1000; i++)
        g_string_append(text, ",\"\":1,\"t\\u0079p\":\"x\"");
    n_parsed = 0;
    skim(text->str, 1000, MESSAGE_REPLY, "g", NULL);
    g_assert_cmpuint(n_parsed, ==, 1);
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/message-skim/found", test_found);
    g_test_add_func("/message-skim/long", test_long);
    g_test_add_func("/message-skim/many-members", test_many_members);
    return g_test_run();
}
