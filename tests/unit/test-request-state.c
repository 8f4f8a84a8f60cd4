/* SPDX-License-Identifier: Apache-2.0 */
/* Proves every cell of the table of the protocol's section 4: next state and actions. The expected
 * table is written here in words, from the protocol's text and not from the code. */
#include <glib.h>

#include "proto/request-state.h"

#define COLUMNS 9

static const struct {
    RequestAction action;
    const char *word;
} words[] = {
    {REQUEST_ACTION_STORE, "store"},           {REQUEST_ACTION_SEND_ACK, "ack"},
    {REQUEST_ACTION_SEND_NACK, "nack"},        {REQUEST_ACTION_SEND_REPLY, "reply"},
    {REQUEST_ACTION_RESEND_REPLY, "resend"},   {REQUEST_ACTION_SEND_STATUS, "status"},
    {REQUEST_ACTION_CANCEL_JOB, "cancel-job"}, {REQUEST_ACTION_START_TIMER, "start-timer"},
    {REQUEST_ACTION_STOP_TIMER, "stop-timer"}, {REQUEST_ACTION_FORGET, "forget"},
    {REQUEST_ACTION_DROP_REPLY, "drop-reply"},
};

/* "NEXT: actions"; "same" stays; "-" is ignored. Columns as in the protocol: REQUEST again, accept,
 * reject, job finished, CANCEL, ACK, NACK, timeout, STATUS. */
static const struct {
    RequestState state;
    const char *name;
    const char *cells[COLUMNS];
} rows[] = {
    {REQUEST_STATE_REQUESTING,
     "REQUESTING",
     {"same:", "ACKED: store ack", "NACKED: store nack", "REPLY: store reply start-timer",
      "CANCEL_RECEIVED_REQUESTING:", "-", "-", "-", "same: status"}},
    {REQUEST_STATE_CANCEL_RECEIVED_REQUESTING,
     "CANCEL_RECEIVED_REQUESTING",
     {"same:", "ACKED: store ack cancel-job", "NACKED: store nack",
      "REPLY: store reply start-timer", "same:", "-", "-", "-", "same: status"}},
    {REQUEST_STATE_ACKED,
     "ACKED",
     {"same: ack", "-", "-", "REPLY: store reply start-timer", "same: cancel-job", "-",
      "REPLY_NACKED: store drop-reply", "-", "same: status"}},
    {REQUEST_STATE_REPLY,
     "REPLY",
     {"same: reply", "-", "-", "-", "same:", "REPLY_ACKED: store stop-timer forget",
      "REPLY_NACKED: store stop-timer forget drop-reply", "same: resend start-timer",
      "same: status"}},
    {REQUEST_STATE_NACKED,
     "NACKED",
     {"same: nack", "-", "-", "-", "-", "-", "-", "-", "same: status"}},
    {REQUEST_STATE_REPLY_ACKED,
     "REPLY_ACKED",
     {"same: reply", "-", "-", "-", "same:", "same: forget", "same: forget",
      "same:", "same: status"}},
    {REQUEST_STATE_REPLY_NACKED,
     "REPLY_NACKED",
     {"same: reply", "-", "-", "same: forget drop-reply", "same:", "same: forget", "same: forget",
      "-", "same: status"}},
};

static const RequestEvent columns[COLUMNS] = {
    REQUEST_EVENT_REQUEST,  REQUEST_EVENT_ACCEPT,  REQUEST_EVENT_REJECT,
    REQUEST_EVENT_FINISHED, REQUEST_EVENT_CANCEL,  REQUEST_EVENT_ACK,
    REQUEST_EVENT_NACK,     REQUEST_EVENT_TIMEOUT, REQUEST_EVENT_STATUS,
};

static unsigned parse_actions(const char *text) {
    g_auto(GStrv) list = g_strsplit(text, " ", -1);
    unsigned actions = 0;

    for (char **s = list; *s; s++) {
        bool known = isempty(*s);

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
            if (streq(words[i].word, *s)) {
                actions |= words[i].action;
                known = true;
            }
        if (!known)
            g_error("unknown word: %s", *s);
    }
    return actions;
}

static void check_cell(RequestState state, RequestEvent event, const char *cell) {
    RequestTransition t = request_transition(state, event);
    g_auto(GStrv) parts = g_strsplit(cell, ":", 2);
    RequestState next = state;
    unsigned actions = 0;

    if (!streq(cell, "-")) {
        if (!streq(parts[0], "same"))
            next = request_state_from_string(parts[0]);
        actions = parse_actions(parts[1]);
    }
    g_assert_cmpint(next, >=, 0);
    if (t.next != next || t.actions != actions)
        g_error("%s, event %d: expected '%s', is %s %#x", request_state_to_string(state), event,
                cell, request_state_to_string(t.next), t.actions);
}

static void test_table(void) {
    g_assert_cmpuint(ELEMENTSOF(rows), ==, _REQUEST_STATE_MAX);
    g_assert_cmpuint(COLUMNS, ==, _REQUEST_EVENT_MAX);
    for (size_t i = 0; i < ELEMENTSOF(rows); i++)
        for (size_t k = 0; k < COLUMNS; k++)
            check_cell(rows[i].state, columns[k], rows[i].cells[k]);
}

static void test_names(void) {
    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        g_assert_cmpstr(request_state_to_string(rows[i].state), ==, rows[i].name);
        g_assert_cmpint(request_state_from_string(rows[i].name), ==, rows[i].state);
    }
    g_assert_null(request_state_to_string(_REQUEST_STATE_MAX));
    g_assert_null(request_state_to_string(_REQUEST_STATE_INVALID));
    g_assert_cmpint(request_state_from_string(""), ==, _REQUEST_STATE_INVALID);
    g_assert_cmpint(request_state_from_string("acked"), ==, _REQUEST_STATE_INVALID);
}

/* Whatever happens: a change of state is stored, but for the one before there is a row; nothing is
 * promised without a store; a final state stays one; only a reply that the manager has, or gave up,
 * is forgotten. */
static void test_invariants(void) {
    for (RequestState state = 0; state < _REQUEST_STATE_MAX; state++)
        for (unsigned event = 0; event < _REQUEST_EVENT_MAX; event++) {
            RequestTransition t = request_transition(state, (RequestEvent)event);
            bool stored = t.actions & REQUEST_ACTION_STORE;
            bool final = state == REQUEST_STATE_NACKED || state == REQUEST_STATE_REPLY_ACKED ||
                         state == REQUEST_STATE_REPLY_NACKED;

            g_assert_cmpint(stored, ==,
                            t.next != state && t.next != REQUEST_STATE_CANCEL_RECEIVED_REQUESTING);
            if (final)
                g_assert_cmpint(t.next, ==, state);
            if (t.actions & REQUEST_ACTION_FORGET)
                g_assert_true(t.next == REQUEST_STATE_REPLY_ACKED ||
                              t.next == REQUEST_STATE_REPLY_NACKED);
        }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/request-state/table", test_table);
    g_test_add_func("/request-state/names", test_names);
    g_test_add_func("/request-state/invariants", test_invariants);
    return g_test_run();
}
