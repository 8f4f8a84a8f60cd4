/* SPDX-License-Identifier: Apache-2.0 */
/* Proves every cell of the table of the protocol's section 4, next state and actions: a case for
 * each. What is expected is made of docs/protocol.md by state-table.py, and not of the code. */
#include <glib.h>

#include "proto/request-state.h"

typedef struct Cell {
    const char *path;
    RequestState state;
    RequestEvent event;
    RequestState next;
    unsigned actions;
} Cell;

static const Cell cells[] = {
#include "request-state-table.h"
};

static void test_cell(gconstpointer data) {
    const Cell *c = data;
    RequestTransition t = request_transition(c->state, c->event);

    g_assert_cmpstr(request_state_to_string(t.next), ==, request_state_to_string(c->next));
    g_assert_cmphex(t.actions, ==, c->actions);
}

/* The text has every cell, once. */
static void test_complete(void) {
    bool seen[_REQUEST_STATE_MAX][_REQUEST_EVENT_MAX] = {};

    g_assert_cmpuint(ELEMENTSOF(cells), ==, _REQUEST_STATE_MAX * _REQUEST_EVENT_MAX);
    for (size_t i = 0; i < ELEMENTSOF(cells); i++) {
        g_assert_false(seen[cells[i].state][cells[i].event]);
        seen[cells[i].state][cells[i].event] = true;
    }
}

static void test_names(void) {
    for (size_t i = 0; i < ELEMENTSOF(cells); i++) {
        g_auto(GStrv) parts = g_strsplit(cells[i].path, "/", -1);

        g_assert_cmpstr(request_state_to_string(cells[i].state), ==, parts[3]);
        g_assert_cmpint(request_state_from_string(parts[3]), ==, cells[i].state);
    }
    g_assert_null(request_state_to_string(_REQUEST_STATE_MAX));
    g_assert_null(request_state_to_string(_REQUEST_STATE_INVALID));
    g_assert_cmpint(request_state_from_string(""), ==, _REQUEST_STATE_INVALID);
    g_assert_cmpint(request_state_from_string("acked"), ==, _REQUEST_STATE_INVALID);
}

/* Whatever happens: a change of state is stored, and nothing else; a final state stays one. */
static void test_invariants(void) {
    for (RequestState state = 0; state < _REQUEST_STATE_MAX; state++)
        for (unsigned event = 0; event < _REQUEST_EVENT_MAX; event++) {
            RequestTransition t = request_transition(state, (RequestEvent)event);
            bool stored = t.actions & REQUEST_ACTION_STORE;
            bool final = state == REQUEST_STATE_NACKED || state == REQUEST_STATE_REPLY_ACKED ||
                         state == REQUEST_STATE_REPLY_NACKED;

            g_assert_cmpint(stored, ==, t.next != state);
            if (final)
                g_assert_cmpint(t.next, ==, state);
        }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < ELEMENTSOF(cells); i++)
        g_test_add_data_func(cells[i].path, &cells[i], test_cell);
    g_test_add_func("/request-state/complete", test_complete);
    g_test_add_func("/request-state/names", test_names);
    g_test_add_func("/request-state/invariants", test_invariants);
    return g_test_run();
}
