/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a request on the manager's side: one table, no I/O. */
#pragma once

#include "basic/macro.h"

typedef enum OrderState {
    ORDER_QUEUED, /* stored; perhaps not sent yet */
    ORDER_SENT,   /* resent until acknowledged */
    ORDER_ACKED,  /* the agent has stored it and will execute it once */
    ORDER_REPLIED,
    ORDER_NACKED, /* refused by the agent */
    _ORDER_STATE_MAX,
    _ORDER_STATE_INVALID = -EINVAL,
} OrderState;

typedef enum OrderEvent {
    ORDER_EVENT_SENT,
    ORDER_EVENT_ACK,
    ORDER_EVENT_NACK,
    ORDER_EVENT_REPLY,
    ORDER_EVENT_SUBMIT, /* an operator submitted the same request again */
    _ORDER_EVENT_MAX,
} OrderEvent;

/* The next state; the same one if the event changes nothing. */
OrderState order_next(OrderState state, OrderEvent event) _const_;
/* Whether the request must be sent until it is acknowledged. */
bool order_is_open(OrderState state) _const_;
/* Whether nothing more is expected of the agent. */
bool order_is_over(OrderState state) _const_;

const char *order_state_to_string(OrderState state) _const_;
OrderState order_state_from_string(const char *s) _pure_;

/* The wait for an ACK after one of `usec`: doubled, limited. */
uint64_t order_next_wait(uint64_t usec) _const_;
