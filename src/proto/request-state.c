/* SPDX-License-Identifier: Apache-2.0 */
/*
 *                REJECT ┌────────┐
 *  REQUESTING ─────────▶│ NACKED │
 *      │ ACCEPT         └────────┘
 *      ▼      FINISHED          ACK     ┌─────────────┐
 *    ACKED ────────────▶ REPLY ────────▶│ REPLY_ACKED │
 *      │ NACK              │ NACK       └─────────────┘
 *      └──────────────┬────┘
 *                     ▼
 *               REPLY_NACKED
 *
 * Requests in the three final states are in the store alone, and only they may be removed by
 * retention.
 */
#include "proto/request-state.h"

#define S(name) REQUEST_STATE_##name
#define A(name) REQUEST_ACTION_##name
#define IGNORED                                                                                    \
    { .next = _REQUEST_STATE_INVALID }

static const char *const state_names[_REQUEST_STATE_MAX] = {
    [S(REQUESTING)] = "REQUESTING",
    [S(ACKED)] = "ACKED",
    [S(REPLY)] = "REPLY",
    [S(NACKED)] = "NACKED",
    [S(REPLY_NACKED)] = "REPLY_NACKED",
    [S(REPLY_ACKED)] = "REPLY_ACKED",
};

/* Columns in the order of RequestEvent: REQUEST, ACCEPT, REJECT, FINISHED, CANCEL, ACK, NACK,
 * TIMEOUT, STATUS. */
/* clang-format off */
static const RequestTransition table[_REQUEST_STATE_MAX][_REQUEST_EVENT_MAX] = {
    [S(REQUESTING)] = {
        { S(REQUESTING), 0 },
        { S(ACKED), A(STORE) | A(SEND_ACK) },
        { S(NACKED), A(STORE) | A(SEND_NACK) },
        { S(REPLY), A(STORE) | A(SEND_REPLY) | A(START_TIMER) },
        { S(REQUESTING), 0 },
        IGNORED, IGNORED, IGNORED,
        { S(REQUESTING), A(SEND_STATUS) },
    },
    [S(ACKED)] = {
        { S(ACKED), A(SEND_ACK) },
        IGNORED, IGNORED,
        { S(REPLY), A(STORE) | A(SEND_REPLY) | A(START_TIMER) },
        { S(ACKED), A(CANCEL_JOB) },
        IGNORED,
        { S(REPLY_NACKED), A(STORE) | A(DROP_REPLY) },
        IGNORED,
        { S(ACKED), A(SEND_STATUS) },
    },
    [S(REPLY)] = {
        { S(REPLY), A(SEND_REPLY) },
        IGNORED, IGNORED, IGNORED,
        { S(REPLY), 0 },
        { S(REPLY_ACKED), A(STORE) | A(STOP_TIMER) },
        { S(REPLY_NACKED), A(STORE) | A(STOP_TIMER) | A(DROP_REPLY) },
        { S(REPLY), A(RESEND_REPLY) | A(START_TIMER) },
        { S(REPLY), A(SEND_STATUS) },
    },
    [S(NACKED)] = {
        { S(NACKED), A(SEND_NACK) },
        IGNORED, IGNORED, IGNORED, IGNORED, IGNORED, IGNORED, IGNORED,
        { S(NACKED), A(SEND_STATUS) },
    },
    [S(REPLY_NACKED)] = {
        { S(REPLY_NACKED), A(SEND_REPLY) },
        IGNORED, IGNORED,
        { S(REPLY_NACKED), A(DROP_REPLY) },
        { S(REPLY_NACKED), 0 },
        { S(REPLY_NACKED), 0 },
        { S(REPLY_NACKED), 0 },
        IGNORED,
        { S(REPLY_NACKED), A(SEND_STATUS) },
    },
    [S(REPLY_ACKED)] = {
        { S(REPLY_ACKED), A(SEND_REPLY) },
        IGNORED, IGNORED, IGNORED,
        { S(REPLY_ACKED), 0 },
        { S(REPLY_ACKED), 0 },
        { S(REPLY_ACKED), 0 },
        { S(REPLY_ACKED), 0 },
        { S(REPLY_ACKED), A(SEND_STATUS) },
    },
};
/* clang-format on */

RequestTransition request_transition(RequestState state, RequestEvent event) {
    RequestTransition t;

    assert(state >= 0 && state < _REQUEST_STATE_MAX);
    assert((unsigned)event < _REQUEST_EVENT_MAX);
    t = table[state][event];
    if (t.next < 0)
        t.next = state;
    return t;
}

const char *request_state_to_string(RequestState state) {
    return state >= 0 && state < _REQUEST_STATE_MAX ? state_names[state] : NULL;
}

RequestState request_state_from_string(const char *s) {
    for (RequestState i = 0; i < _REQUEST_STATE_MAX; i++)
        if (streq(s, state_names[i]))
            return i;
    return _REQUEST_STATE_INVALID;
}
