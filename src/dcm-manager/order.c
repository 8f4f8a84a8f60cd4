/* SPDX-License-Identifier: Apache-2.0 */
/*
 *  QUEUED ── sent ──▶ SENT ── ACK ──▶ ACKED ── REPLY ──▶ REPLIED
 *     ▲                  │                │
 *     └── resubmitted ── NACKED ◀─ NACK ──┘      a REPLY counts in every state, also as the ACK
 *
 * A NACK of an acknowledged request means that the agent does not know it any more. An ACK after a
 * NACK answers a repetition that was already sent, and that the agent had room for. */
#include "dcm-manager/order.h"

#include "dcm-manager/limits.h"

static const OrderState table[_ORDER_STATE_MAX][_ORDER_EVENT_MAX] = {
    /*                 SENT           ACK            NACK           REPLY          SUBMIT */
    [ORDER_QUEUED] = {ORDER_SENT, ORDER_ACKED, ORDER_NACKED, ORDER_REPLIED, ORDER_QUEUED},
    [ORDER_SENT] = {ORDER_SENT, ORDER_ACKED, ORDER_NACKED, ORDER_REPLIED, ORDER_SENT},
    [ORDER_ACKED] = {ORDER_ACKED, ORDER_ACKED, ORDER_NACKED, ORDER_REPLIED, ORDER_ACKED},
    [ORDER_REPLIED] = {ORDER_REPLIED, ORDER_REPLIED, ORDER_REPLIED, ORDER_REPLIED, ORDER_REPLIED},
    [ORDER_NACKED] = {ORDER_NACKED, ORDER_ACKED, ORDER_NACKED, ORDER_REPLIED, ORDER_QUEUED},
};

static const char *const names[_ORDER_STATE_MAX] = {
    [ORDER_QUEUED] = "QUEUED",   [ORDER_SENT] = "SENT",     [ORDER_ACKED] = "ACKED",
    [ORDER_REPLIED] = "REPLIED", [ORDER_NACKED] = "NACKED",
};

OrderState order_next(OrderState state, OrderEvent event) {
    assert(state >= 0 && state < _ORDER_STATE_MAX && event >= 0 && event < _ORDER_EVENT_MAX);
    return table[state][event];
}

bool order_is_open(OrderState state) {
    return state == ORDER_QUEUED || state == ORDER_SENT;
}

bool order_is_over(OrderState state) {
    return state == ORDER_REPLIED || state == ORDER_NACKED;
}

const char *order_state_to_string(OrderState state) {
    return state >= 0 && state < _ORDER_STATE_MAX ? names[state] : NULL;
}

OrderState order_state_from_string(const char *s) {
    for (OrderState state = 0; state < _ORDER_STATE_MAX; state++)
        if (streq(s, names[state]))
            return state;
    return _ORDER_STATE_INVALID;
}

uint64_t order_next_wait(uint64_t usec) {
    return MIN(2 * usec, RETRANSMIT_MAX_USEC);
}
