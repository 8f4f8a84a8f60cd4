/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a request (docs/protocol, section 4): one table, no I/O. */
#pragma once

#include "basic/macro.h"

typedef enum RequestState {
    REQUEST_STATE_REQUESTING, /* received, not yet stored */
    REQUEST_STATE_ACKED,      /* stored; will be executed once */
    REQUEST_STATE_REPLY,      /* its reply is stored; the manager does not have it yet */
    REQUEST_STATE_NACKED,
    REQUEST_STATE_REPLY_NACKED,
    REQUEST_STATE_REPLY_ACKED,
    _REQUEST_STATE_MAX,
    _REQUEST_STATE_INVALID = -EINVAL,
} RequestState;

typedef enum RequestEvent {
    REQUEST_EVENT_REQUEST, /* the same GUID again */
    REQUEST_EVENT_ACCEPT,
    REQUEST_EVENT_REJECT,
    REQUEST_EVENT_FINISHED,
    REQUEST_EVENT_CANCEL,
    REQUEST_EVENT_ACK,
    REQUEST_EVENT_NACK,
    REQUEST_EVENT_TIMEOUT,
    REQUEST_EVENT_STATUS,
    _REQUEST_EVENT_MAX,
} RequestEvent;

/* Actions in the order of execution: the store precedes the message that promises it. */
typedef enum RequestAction {
    REQUEST_ACTION_STORE = 1 << 0,
    REQUEST_ACTION_SEND_ACK = 1 << 1,
    REQUEST_ACTION_SEND_NACK = 1 << 2,
    REQUEST_ACTION_SEND_REPLY = 1 << 3,   /* with a new message_id */
    REQUEST_ACTION_RESEND_REPLY = 1 << 4, /* with the message_id of the first sending */
    REQUEST_ACTION_SEND_STATUS = 1 << 5,
    REQUEST_ACTION_CANCEL_JOB = 1 << 6,
    REQUEST_ACTION_START_TIMER = 1 << 7,
    REQUEST_ACTION_STOP_TIMER = 1 << 8,
    REQUEST_ACTION_DROP_REPLY = 1 << 9, /* the manager gave up; log it */
} RequestAction;

typedef struct RequestTransition {
    RequestState next;
    unsigned actions; /* 0 and next == state: ignored */
} RequestTransition;

RequestTransition request_transition(RequestState state, RequestEvent event) _const_;

const char *request_state_to_string(RequestState state) _const_;
RequestState request_state_from_string(const char *s) _pure_;
