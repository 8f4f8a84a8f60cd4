/* SPDX-License-Identifier: Apache-2.0 */
/* Proves framing, client against server in memory and against hand-made frames: messages arrive
 * whole however the bytes are cut, broken frames get the close code that RFC 6455 asks for, and
 * what a peer makes us queue is bounded. */
#include <glib.h>

#include "basic/bounds.h"
#include "proto/websocket.h"

typedef struct Peer {
    WebSocket *websocket;
    GString *text; /* all messages, each with a newline behind it */
    size_t n;
    bool all_text;
} Peer;

static void on_message(const char *text, size_t size, bool is_text, void *userdata) {
    Peer *p = userdata;

    g_string_append_len(p->text, text, (gssize)size);
    g_string_append_c(p->text, '\n');
    p->n++;
    p->all_text = p->all_text && is_text;
}

static void peer_init(Peer *p, bool client) {
    static const WebSocketCallbacks callbacks = {.on_message = on_message};

    *p = (Peer){.text = g_string_new(NULL), .all_text = true};
    g_assert_cmpint(websocket_new(client, &callbacks, p, &p->websocket), ==, 0);
}

static void peer_done(Peer *p) {
    websocket_free(p->websocket);
    g_string_free(p->text, TRUE);
}

/* Moves all that `from` has to send, so many bytes at a time. */
static int deliver(Peer *from, Peer *to, size_t step) {
    g_autofree char *buf = g_malloc(step);

    while (websocket_has_output(from->websocket)) {
        ssize_t n = websocket_output(from->websocket, buf, step);
        int r;

        g_assert_cmpint(n, >=, 0);
        if (n == 0)
            break;
        r = websocket_feed(to->websocket, buf, (size_t)n);
        if (r < 0)
            return r;
    }
    return 0;
}

static GString *take_output(Peer *p) {
    GString *all = g_string_new(NULL);
    char buf[1000];
    ssize_t n;

    while ((n = websocket_output(p->websocket, buf, sizeof(buf))) > 0)
        g_string_append_len(all, buf, n);
    return all;
}

static void test_messages(void) {
    static const size_t sizes[] = {0, 1, 125, 126, 127, 65535, 65536, 70000};
    static const size_t steps[] = {1, 2, 7, 16384};

    for (int client = 0; client < 2; client++)
        for (size_t k = 0; k < ELEMENTSOF(steps); k++) {
            g_autoptr(GString) expected = g_string_new(NULL);
            Peer a, b;

            peer_init(&a, client);
            peer_init(&b, !client);
            for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                g_autofree char *text = g_strnfill(sizes[i], (char)('a' + i));

                g_assert_cmpint(websocket_send_text(a.websocket, text, sizes[i]), ==, 0);
                g_string_append_printf(expected, "%s\n", text);
            }
            g_assert_cmpuint(websocket_queued_size(a.websocket), ==, expected->len - b.n - 8);
            g_assert_cmpint(deliver(&a, &b, steps[k]), ==, 0);
            g_assert_true(g_string_equal(b.text, expected));
            g_assert_cmpuint(b.n, ==, ELEMENTSOF(sizes));
            g_assert_true(b.all_text);
            g_assert_false(websocket_has_output(a.websocket));
            g_assert_cmpuint(websocket_queued_size(a.websocket), ==, 0);
            peer_done(&a);
            peer_done(&b);
        }
}

/* RFC 6455, section 5.3: a client masks, with a fresh mask for each frame, a server does not. */
static void test_masking(void) {
    g_autoptr(GString) server_bytes = NULL;
    g_autoptr(GString) first = NULL;
    g_autoptr(GString) second = NULL;
    Peer client, server;

    peer_init(&client, true);
    peer_init(&server, false);
    g_assert_cmpint(websocket_send_text(server.websocket, "hello", 5), ==, 0);
    server_bytes = take_output(&server);
    g_assert_cmpmem(server_bytes->str, server_bytes->len, "\x81\x05hello", 7);

    g_assert_cmpint(websocket_send_text(client.websocket, "hello", 5), ==, 0);
    first = take_output(&client);
    g_assert_cmpint(websocket_send_text(client.websocket, "hello", 5), ==, 0);
    second = take_output(&client);
    g_assert_cmpuint(first->len, ==, 11);
    g_assert_cmpmem(first->str, 2, "\x81\x85", 2);
    g_assert_false(g_string_equal(first, second));
    for (size_t i = 0; i < 5; i++)
        g_assert_cmpint(first->str[6 + i] ^ first->str[2 + i % 4], ==, "hello"[i]);
    peer_done(&client);
    peer_done(&server);
}

#define FRAMES(s) s, sizeof(s) - 1

/* What a server may send, fed whole and byte by byte. */
static void test_fragments(void) {
    static const struct {
        const char *frames;
        size_t size;
        const char *text;
        size_t pongs;
    } cases[] = {
        {FRAMES("\x01\x03"
                "abc"
                "\x80\x03"
                "def"),
         "abcdef\n", 0},
        {FRAMES("\x01\x01"
                "a"
                "\x00\x01"
                "b"
                "\x80\x01"
                "c"),
         "abc\n", 0},
        {FRAMES("\x01\x00"
                "\x80\x00"),
         "\n", 0},
        /* a character cut in two by a fragment's end */
        {FRAMES("\x01\x01\xc3"
                "\x80\x01\xa4"),
         "\xc3\xa4\n", 0},
        /* control frames between fragments */
        {FRAMES("\x01\x01"
                "a"
                "\x89\x02"
                "hi"
                "\x80\x01"
                "b"),
         "ab\n", 1},
        {FRAMES("\x01\x01"
                "a"
                "\x8a\x00"
                "\x89\x00"
                "\x00\x00"
                "\x80\x01"
                "b"),
         "ab\n", 1},
        {FRAMES("\x82\x02\xff\xfe"), "\xff\xfe\n", 0}, /* binary */
        {FRAMES("\x81\x7e\x00\x7e"
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
         0},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++)
        for (int single = 0; single < 2; single++) {
            g_autoptr(GString) output = NULL;
            Peer client;

            peer_init(&client, true);
            for (size_t k = 0; k < cases[i].size; k += single ? 1 : cases[i].size)
                g_assert_cmpint(websocket_feed(client.websocket, cases[i].frames + k,
                                               single ? 1 : cases[i].size),
                                ==, 0);
            g_assert_cmpstr(client.text->str, ==, cases[i].text);
            g_assert_cmpuint(client.n, ==, 1);
            output = take_output(&client);
            g_assert_cmpint(output->len > 0 && (uint8_t)output->str[0] == 0x8a, ==,
                            cases[i].pongs > 0);
            peer_done(&client);
        }
}

static void test_ping(void) {
    Peer client, server;

    peer_init(&client, true);
    peer_init(&server, false);
    g_assert_cmpint(websocket_send_ping(client.websocket), ==, 0);
    g_assert_true(websocket_has_output(client.websocket));
    g_assert_cmpint(deliver(&client, &server, 1), ==, 0);
    g_assert_true(websocket_has_output(server.websocket)); /* the pong */
    g_assert_cmpint(deliver(&server, &client, 1), ==, 0);
    g_assert_false(websocket_has_output(client.websocket));
    g_assert_cmpuint(client.n + server.n, ==, 0);
    peer_done(&client);
    peer_done(&server);
}

/* The payload of a ping comes back in its pong. */
static void test_pong_payload(void) {
    g_autoptr(GString) output = NULL;
    Peer server;

    peer_init(&server, false);
    /* masked with zeros */
    g_assert_cmpint(websocket_feed(server.websocket, FRAMES("\x89\x82\0\0\0\0hi")), ==, 0);
    output = take_output(&server);
    g_assert_cmpmem(output->str, output->len, "\x8a\x02hi", 4);
    peer_done(&server);
}

static unsigned close_code(const GString *frames) {
    if (frames->len < 2 || (uint8_t)frames->str[0] != 0x88)
        return 0;
    if (frames->str[1] == 0)
        return 1005;
    return (unsigned)(uint8_t)frames->str[2] << 8 | (uint8_t)frames->str[3];
}

/* Fed to a server, whose close frame is not masked. */
static void test_broken(void) {
    static const struct {
        const char *frames;
        size_t size;
        unsigned code;
    } cases[] = {
        {FRAMES("\xc1\x81\0\0\0\0a"), 1002}, /* reserved bits */
        {FRAMES("\xa1\x81\0\0\0\0a"), 1002},
        {FRAMES("\x91\x81\0\0\0\0a"), 1002},
        {FRAMES("\x83\x81\0\0\0\0a"), 1002}, /* unknown opcode */
        {FRAMES("\x8b\x80\0\0\0\0"), 1002},
        {FRAMES("\x81\x01"
                "a"),
         1002},                                               /* not masked */
        {FRAMES("\x80\x81\0\0\0\0a"), 1002},                  /* nothing to continue */
        {FRAMES("\x01\x81\0\0\0\0a\x81\x81\0\0\0\0b"), 1002}, /* another message inside */
        {FRAMES("\x09\x80\0\0\0\0"), 1002},                   /* ping in fragments */
        {FRAMES("\x89\xfe\x00\x7e\0\0\0\0"), 1002},           /* ping of 126 bytes */
        {FRAMES("\x81\xfe\x00\x05\0\0\0\0abcde"), 1002},      /* length not in its shortest form */
        {FRAMES("\x81\xff\x80\0\0\0\0\0\0\0\0\0\0\0"), 1002}, /* top bit of the length */
        {FRAMES("\x81\x81\0\0\0\0\xff"), 1007},               /* bad UTF-8 */
        {FRAMES("\x81\x81\0\0\0\0\xc3"), 1007},
        {FRAMES("\x01\x81\0\0\0\0\xc3\x80\x81\0\0\0\0("), 1007},
        {FRAMES("\x81\xff\0\0\0\0\x00\x80\x00\x01\0\0\0\0a"), 1009}, /* 8 MiB + 1 */
        {FRAMES("\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0a"), 1009},
        {FRAMES("\x01\x81\0\0\0\0a\x80\xff\0\0\0\0\x00\x80\x00\x00\0\0\0\0a"), 1009},
        {FRAMES("\x88\x81\0\0\0\0\x03"), 1002},             /* half a code */
        {FRAMES("\x88\x82\0\0\0\0\x03\xed"), 1002},         /* 1005 */
        {FRAMES("\x88\x82\0\0\0\0\x03\xf7"), 1002},         /* 1015 */
        {FRAMES("\x88\x82\0\0\0\0\x13\x88"), 1002},         /* 5000 */
        {FRAMES("\x88\x83\0\0\0\0\x03\xe8\xff"), 1007},     /* bad UTF-8 in a reason */
        {FRAMES("\x88\x84\0\0\0\0\x03\xe8\xe2\x82"), 1007}, /* cut off */
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++)
        for (int single = 0; single < 2; single++) {
            g_autoptr(GString) output = NULL;
            Peer server;
            int r = 0;

            peer_init(&server, false);
            for (size_t k = 0; k < cases[i].size && r == 0; k += single ? 1 : cases[i].size)
                r = websocket_feed(server.websocket, cases[i].frames + k,
                                   single ? 1 : cases[i].size);
            output = take_output(&server);
            if (r != -EPROTO || output->len == 0 || close_code(output) != cases[i].code)
                g_error("case %zu: result %d, code %u", i, r, output->len ? close_code(output) : 0);
            g_assert_cmpuint(server.n, ==, 0);
            peer_done(&server);
        }
}

/* Of the close frame at the end of what a client sends. */
static unsigned client_close_code(Peer *client) {
    g_autoptr(GString) output = take_output(client);
    const uint8_t *p = (const uint8_t *)output->str;

    while (output->len >= 2 && (p[0] & 0xf) != 8) { /* pongs come first */
        g_assert_cmpuint(p[1] & 0x7f, <, 126);
        g_string_erase(output, 0, 6 + (p[1] & 0x7f));
    }
    g_assert_cmpuint(output->len, ==, 8);
    g_assert_cmpuint(p[1], ==, 0x82);
    return (unsigned)(p[6] ^ p[2]) << 8 | (p[7] ^ p[3]);
}

/* A server must not mask (RFC 6455, section 5.1). */
static void test_masked_server(void) {
    Peer client;

    peer_init(&client, true);
    g_assert_cmpint(websocket_feed(client.websocket, FRAMES("\x81\x81\0\0\0\0a")), ==, -EPROTO);
    g_assert_cmpuint(client.n, ==, 0);
    g_assert_cmpuint(client_close_code(&client), ==, 1002);
    peer_done(&client);
}

static void test_largest(void) {
    g_autofree char *text = g_strnfill(MESSAGE_SIZE_MAX + 1, 'x');
    Peer client, server;

    peer_init(&client, true);
    peer_init(&server, false);
    g_assert_cmpint(websocket_send_text(client.websocket, text, MESSAGE_SIZE_MAX + 1), ==,
                    -EMSGSIZE);
    g_assert_cmpint(websocket_send_text(client.websocket, text, MESSAGE_SIZE_MAX), ==, 0);
    g_assert_cmpint(websocket_send_text(client.websocket, text, MESSAGE_SIZE_MAX), ==, 0);
    g_assert_cmpint(websocket_send_text(client.websocket, text, 1), ==, -ENOBUFS);
    g_assert_cmpint(deliver(&client, &server, 65536), ==, 0);
    g_assert_cmpuint(server.n, ==, 2);
    g_assert_cmpuint(server.text->len, ==, 2 * (MESSAGE_SIZE_MAX + 1));
    g_assert_cmpint(websocket_send_text(client.websocket, text, 1), ==, 0);
    peer_done(&client);
    peer_done(&server);
}

static void test_close(void) {
    for (int client_first = 0; client_first < 2; client_first++) {
        Peer a, b;

        peer_init(&a, client_first);
        peer_init(&b, !client_first);
        g_assert_cmpuint(websocket_close_code(a.websocket), ==, 0);
        g_assert_cmpint(websocket_send_text(a.websocket, "last", 4), ==, 0);
        g_assert_cmpint(websocket_send_close(a.websocket, 1001, "bye"), ==, 0);
        g_assert_cmpint(websocket_send_close(a.websocket, 1001, NULL), ==, -EPIPE);
        g_assert_cmpint(websocket_send_text(a.websocket, "x", 1), ==, -EPIPE);
        g_assert_cmpint(deliver(&a, &b, 3), ==, 0);
        g_assert_cmpstr(b.text->str, ==, "last\n");
        g_assert_cmpuint(websocket_close_code(b.websocket), ==, 1001);
        g_assert_false(websocket_is_closed(a.websocket));
        g_assert_cmpint(deliver(&b, &a, 3), ==, 0);
        g_assert_true(websocket_is_closed(a.websocket));
        g_assert_true(websocket_is_closed(b.websocket));
        g_assert_cmpuint(websocket_close_code(a.websocket), ==, 1001);
        g_assert_cmpint(websocket_send_text(b.websocket, "x", 1), ==, -EPIPE);
        g_assert_cmpint(websocket_send_text(a.websocket, "x", 1), ==, -EPIPE);
        g_assert_false(websocket_has_output(a.websocket));
        g_assert_false(websocket_has_output(b.websocket));
        peer_done(&a);
        peer_done(&b);
    }
}

/* Both at once, each with messages that wait: neither hangs, each sends one close frame. */
static void test_close_crossing(void) {
    Peer a, b;

    peer_init(&a, true);
    peer_init(&b, false);
    g_assert_cmpint(websocket_send_text(a.websocket, "a", 1), ==, 0);
    g_assert_cmpint(websocket_send_close(a.websocket, 1000, NULL), ==, 0);
    g_assert_cmpint(websocket_send_text(b.websocket, "b", 1), ==, 0);
    g_assert_cmpint(websocket_send_close(b.websocket, 1001, NULL), ==, 0);
    g_assert_cmpint(deliver(&a, &b, 100), ==, 0);
    g_assert_cmpint(deliver(&b, &a, 100), ==, 0);
    g_assert_cmpint(deliver(&a, &b, 100), ==, 0);
    g_assert_true(websocket_is_closed(a.websocket));
    g_assert_true(websocket_is_closed(b.websocket));
    g_assert_false(websocket_has_output(a.websocket));
    g_assert_false(websocket_has_output(b.websocket));
    peer_done(&a);
    peer_done(&b);
}

static void test_close_reason(void) {
    g_autofree char *longest = g_strnfill(123, 'r');
    g_autofree char *longer = g_strnfill(124, 'r');
    Peer client;

    peer_init(&client, true);
    g_assert_cmpint(websocket_send_close(client.websocket, 1000, longer), ==, -EMSGSIZE);
    g_assert_cmpint(websocket_send_close(client.websocket, 1000, longest), ==, 0);
    peer_done(&client);
}

static void test_close_without_code(void) {
    Peer client;

    peer_init(&client, true);
    g_assert_cmpint(websocket_feed(client.websocket, "\x88\x00", 2), ==, 0);
    g_assert_cmpuint(websocket_close_code(client.websocket), ==, 1005);
    /* what comes after it is not read */
    g_assert_cmpint(websocket_feed(client.websocket,
                                   "\x81\x01"
                                   "a",
                                   3),
                    ==, 0);
    g_assert_cmpuint(client.n, ==, 0);
    peer_done(&client);
}

/* The answer has the same code and reason, wherever the frame is cut. */
static void test_close_echo(void) {
    static const struct {
        const char *frame;
        size_t size;
    } cases[] = {
        {FRAMES("\x88\x02\x03\xe8")},
        {FRAMES("\x88\x02\x13\x87")},
        {FRAMES("\x88\x0a\x03\xe9g\xc3\xb6\xe2\x82\xacod")},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++)
        for (size_t step = 1; step <= cases[i].size; step++) {
            g_autoptr(GString) output = NULL;
            Peer client;

            peer_init(&client, true);
            for (size_t k = 0; k < cases[i].size; k += step)
                g_assert_cmpint(websocket_feed(client.websocket, cases[i].frame + k,
                                               MIN(step, cases[i].size - k)),
                                ==, 0);
            output = take_output(&client);
            g_assert_cmpuint(output->len, ==, cases[i].size + 4);
            for (size_t k = 2; k < cases[i].size; k++)
                g_assert_cmpint((char)(output->str[k + 4] ^ output->str[2 + (k - 2) % 4]), ==,
                                cases[i].frame[k]);
            g_assert_true(websocket_is_closed(client.websocket));
            peer_done(&client);
        }
}

/* After what cannot be read no more is. */
static void test_broken_for_good(void) {
    Peer client;

    peer_init(&client, true);
    g_assert_cmpint(websocket_feed(client.websocket, FRAMES("\x83\x00")), ==, -EPROTO);
    g_assert_cmpint(websocket_feed(client.websocket, FRAMES("\x81\x00")), ==, -EPROTO);
    g_assert_cmpuint(client.n, ==, 0);
    g_assert_cmpint(websocket_send_text(client.websocket, "x", 1), ==, -EPIPE);
    g_assert_cmpuint(client_close_code(&client), ==, 1002);
    g_assert_false(websocket_has_output(client.websocket));
    peer_done(&client);
}

/* A message may not have ever more fragments. */
static void test_fragment_flood(void) {
    g_autofree char *frames = g_malloc0(16383);
    size_t fed = 0;
    int r;
    Peer client;

    for (size_t i = 0; i < 16383; i += 3)
        frames[i + 1] = 1;
    peer_init(&client, true);
    r = websocket_feed(client.websocket,
                       "\x02\x01"
                       "a",
                       3);
    for (; fed < 100 && r == 0; fed++)
        r = websocket_feed(client.websocket, frames, 16383);
    g_assert_cmpint(r, ==, -EPROTO);
    g_assert_cmpuint(fed, <, 20);
    g_assert_cmpuint(client_close_code(&client), ==, 1009);
    peer_done(&client);

    /* fragments of messages that end are not counted together */
    peer_init(&client, true);
    for (size_t i = 0; i < 100000; i++)
        g_assert_cmpint(websocket_feed(client.websocket, "\x01\x00\x80\x00", 4), ==, 0);
    g_assert_cmpuint(client.n, ==, 100000);
    peer_done(&client);
}

/* A peer that pings and never reads what we answer must not make us hold ever more pongs. */
static void test_ping_flood(void) {
    g_autofree char *pings = g_malloc0(16384);
    size_t fed = 0;
    int r = 0;
    Peer client;

    for (size_t i = 0; i < 16384; i += 2)
        pings[i] = (char)0x89;
    peer_init(&client, true);
    for (; fed < 100 && r == 0; fed++)
        r = websocket_feed(client.websocket, pings, 16384);
    g_assert_cmpint(r, ==, -EPROTO);
    g_assert_cmpuint(fed, <, 5);
    g_assert_cmpuint(client_close_code(&client), ==, 1008);
    peer_done(&client);

    /* one that reads them may ping for ever */
    peer_init(&client, true);
    for (size_t i = 0; i < 10000; i++) {
        g_autoptr(GString) output = NULL;

        g_assert_cmpint(websocket_feed(client.websocket, "\x89\x00", 2), ==, 0);
        output = take_output(&client);
        g_assert_cmpuint(output->len, ==, 6);
    }
    peer_done(&client);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/websocket/messages", test_messages);
    g_test_add_func("/websocket/masking", test_masking);
    g_test_add_func("/websocket/fragments", test_fragments);
    g_test_add_func("/websocket/ping", test_ping);
    g_test_add_func("/websocket/pong-payload", test_pong_payload);
    g_test_add_func("/websocket/broken", test_broken);
    g_test_add_func("/websocket/masked-server", test_masked_server);
    g_test_add_func("/websocket/largest", test_largest);
    g_test_add_func("/websocket/close", test_close);
    g_test_add_func("/websocket/close-crossing", test_close_crossing);
    g_test_add_func("/websocket/close-reason", test_close_reason);
    g_test_add_func("/websocket/close-without-code", test_close_without_code);
    g_test_add_func("/websocket/close-echo", test_close_echo);
    g_test_add_func("/websocket/broken-for-good", test_broken_for_good);
    g_test_add_func("/websocket/fragment-flood", test_fragment_flood);
    g_test_add_func("/websocket/ping-flood", test_ping_flood);
    return g_test_run();
}
