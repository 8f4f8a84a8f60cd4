/* SPDX-License-Identifier: Apache-2.0 */
/* Proves what many peers together can make us hold: messages share a budget from which the one that
 * began first is dropped; and that one that is too large is handed on in pieces where that is
 * wanted. */
#include <glib.h>

#include "basic/bounds.h"
#include "proto/websocket-reader.h"

#define KIB ((size_t)1024)
#define TRY_AGAIN_LATER 1013
#define TOO_BIG 1009
#define TEXT 0x81
#define TEXT_TO_GO_ON 0x01
#define LAST_FRAGMENT 0x80

typedef struct Peer {
    WebSocketReader *reader;
    GString *text, *excess;
    unsigned n_messages, n_pieces, n_ends;
    uint16_t refusal;
} Peer;

static void on_message(const char *data, size_t size, bool is_text, void *userdata) {
    Peer *p = userdata;

    g_string_append_len(p->text, data, (gssize)size);
    p->n_messages++;
}

static uint16_t on_ping(const void *data, size_t size, void *userdata) {
    return 0;
}

static void on_close(uint16_t code, const char *reason, size_t size, void *userdata) {
}

static uint16_t on_excess(const char *data, size_t size, bool is_last, void *userdata) {
    Peer *p = userdata;

    if (size > 0)
        g_string_append_len(p->excess, data, (gssize)size);
    p->n_pieces++;
    p->n_ends += is_last;
    return p->refusal;
}

static void peer_init(Peer *p, ReceiveBudget *budget, bool takes_excess) {
    const WebSocketReaderCallbacks callbacks = {
        .on_message = on_message,
        .on_ping = on_ping,
        .on_close = on_close,
        .on_excess = takes_excess ? on_excess : NULL,
    };

    *p = (Peer){.text = g_string_new(NULL), .excess = g_string_new(NULL)};
    g_assert_cmpint(websocket_reader_new(false, &callbacks, p, &p->reader), ==, 0);
    websocket_reader_set_budget(p->reader, budget);
}

static void peer_done(Peer *p) {
    websocket_reader_free(p->reader);
    g_string_free(p->text, TRUE);
    g_string_free(p->excess, TRUE);
}

/* Its head and its first byte: wslay tells of a frame no sooner. */
static int begin(Peer *p, uint8_t opcode, uint64_t size) {
    size_t n = size > UINT16_MAX ? 8 : 2;
    uint8_t head[11] = {opcode, n == 8 ? 127 : 126};

    for (size_t i = 0; i < n; i++)
        head[1 + n - i] = (uint8_t)(size >> (8 * i));
    head[2 + n] = 'x';
    return websocket_reader_feed(p->reader, head, 3 + n);
}

static int go_on(Peer *p, size_t size) {
    g_autofree char *data = g_strnfill(size, 'x');

    return websocket_reader_feed(p->reader, data, size);
}

static void test_oldest_is_dropped(void) {
    ReceiveBudget budget = {.left = 120 * KIB};
    Peer p[3];

    for (size_t i = 0; i < 3; i++) {
        peer_init(&p[i], &budget, false);
        g_assert_cmpint(begin(&p[i], TEXT, 100 * KIB), ==, 0);
        g_assert_cmpint(go_on(&p[i], RECEIVE_FREE + (i < 2 ? 40 : 1) * KIB - 1), ==, 0);
    }
    g_assert_cmpuint(budget.left, <, 20 * KIB);
    g_assert_cmpint(go_on(&p[2], 60 * KIB), ==, 0);
    g_assert_cmpint(go_on(&p[0], 1), ==, TRY_AGAIN_LATER);
    g_assert_cmpint(go_on(&p[2], 100 * KIB - RECEIVE_FREE - 61 * KIB), ==, 0);
    g_assert_cmpuint(p[2].text->len, ==, 100 * KIB);
    g_assert_cmpuint(p[0].n_messages, ==, 0);
    for (size_t i = 0; i < 3; i++)
        peer_done(&p[i]);
    g_assert_cmpuint(budget.left, ==, 120 * KIB);
    g_assert_null(budget.first);
    g_assert_null(budget.last);
}

/* Whatever others hold, a small message has room; and one alone has no more than there is. */
static void test_small_and_alone(void) {
    ReceiveBudget budget = {.left = 50 * KIB};
    Peer holder, small, large;

    peer_init(&holder, &budget, false);
    peer_init(&small, &budget, false);
    peer_init(&large, &budget, false);
    g_assert_cmpint(begin(&holder, TEXT, 64 * KIB), ==, 0);
    g_assert_cmpint(go_on(&holder, 64 * KIB - 2), ==, 0);
    for (unsigned i = 0; i < 10; i++) {
        g_assert_cmpint(begin(&small, TEXT, RECEIVE_FREE), ==, 0);
        g_assert_cmpint(go_on(&small, RECEIVE_FREE - 1), ==, 0);
    }
    g_assert_cmpuint(small.n_messages, ==, 10);
    g_assert_cmpint(go_on(&holder, 1), ==, 0);
    g_assert_cmpuint(holder.n_messages, ==, 1);
    g_assert_cmpuint(budget.left, ==, 50 * KIB);
    g_assert_cmpint(begin(&large, TEXT, 200 * KIB), ==, 0);
    g_assert_cmpint(go_on(&large, RECEIVE_FREE + 51 * KIB), ==, TRY_AGAIN_LATER);
    peer_done(&large);
    peer_done(&small);
    peer_done(&holder);
    g_assert_cmpuint(budget.left, ==, 50 * KIB);
}

/* What is announced costs nothing. */
static void test_announced(void) {
    ReceiveBudget budget = {.left = KIB};
    Peer p[100];

    for (size_t i = 0; i < G_N_ELEMENTS(p); i++) {
        peer_init(&p[i], &budget, false);
        g_assert_cmpint(begin(&p[i], TEXT, MESSAGE_SIZE_MAX), ==, 0);
        g_assert_cmpint(go_on(&p[i], RECEIVE_FREE / 2), ==, 0);
    }
    g_assert_cmpuint(budget.left, ==, KIB);
    for (size_t i = 0; i < G_N_ELEMENTS(p); i++)
        peer_done(&p[i]);
}

static void test_excess(void) {
    ReceiveBudget budget = {.left = 64 * KIB};
    Peer p;

    peer_init(&p, &budget, true);
    websocket_reader_set_message_max(p.reader, 40 * KIB);
    g_assert_cmpint(begin(&p, TEXT, 40 * KIB + 1), ==, 0);
    g_assert_cmpuint(p.n_pieces, ==, 2); /* the first could have refused it */
    g_assert_cmpint(go_on(&p, 30 * KIB), ==, 0);
    g_assert_cmpint(go_on(&p, 10 * KIB - 1), ==, 0);
    g_assert_cmpuint(p.n_ends, ==, 0);
    g_assert_cmpint(go_on(&p, 1), ==, 0);
    g_assert_cmpuint(p.n_ends, ==, 1);
    g_assert_cmpuint(p.excess->len, ==, 40 * KIB + 1);
    /* in fragments: what had been kept is handed on first */
    g_string_truncate(p.excess, 0);
    g_assert_cmpint(begin(&p, TEXT_TO_GO_ON, 30 * KIB), ==, 0);
    g_assert_cmpint(go_on(&p, 30 * KIB - 1), ==, 0);
    g_assert_cmpuint(p.excess->len, ==, 0);
    g_assert_cmpint(begin(&p, LAST_FRAGMENT, 30 * KIB), ==, 0);
    g_assert_cmpuint(p.excess->len, ==, 30 * KIB + 1);
    g_assert_cmpuint(budget.left, ==, 64 * KIB);
    g_assert_cmpint(go_on(&p, 30 * KIB - 1), ==, 0);
    g_assert_cmpuint(p.excess->len, ==, 60 * KIB);
    g_assert_cmpuint(p.n_ends, ==, 2);
    /* and then messages as before */
    g_assert_cmpint(begin(&p, TEXT, 40 * KIB), ==, 0);
    g_assert_cmpint(go_on(&p, 40 * KIB - 1), ==, 0);
    g_assert_cmpuint(p.text->len, ==, 40 * KIB);
    g_assert_cmpuint(p.n_ends, ==, 2);
    peer_done(&p);
}

static void test_excess_is_bounded(void) {
    Peer p;

    peer_init(&p, NULL, true);
    g_assert_cmpint(begin(&p, TEXT, MESSAGE_EXCESS_MAX + 1), ==, TOO_BIG);
    peer_done(&p);
    peer_init(&p, NULL, true);
    g_assert_cmpint(begin(&p, 0x82, MESSAGE_SIZE_MAX + 1), ==, TOO_BIG); /* binary */
    peer_done(&p);
    peer_init(&p, NULL, true);
    p.refusal = TOO_BIG;
    g_assert_cmpint(begin(&p, TEXT, MESSAGE_SIZE_MAX + 1), ==, TOO_BIG);
    peer_done(&p);
    peer_init(&p, NULL, false);
    g_assert_cmpint(begin(&p, TEXT, MESSAGE_SIZE_MAX + 1), ==, TOO_BIG);
    peer_done(&p);
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/websocket/bounds/oldest-is-dropped", test_oldest_is_dropped);
    g_test_add_func("/websocket/bounds/small-and-alone", test_small_and_alone);
    g_test_add_func("/websocket/bounds/announced", test_announced);
    g_test_add_func("/websocket/bounds/excess", test_excess);
    g_test_add_func("/websocket/bounds/excess-is-bounded", test_excess_is_bounded);
    return g_test_run();
}
