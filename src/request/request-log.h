/* SPDX-License-Identifier: Apache-2.0 */
/* Journal entries and console lines about requests. */
#pragma once

#include "basic/ratelimit.h"
#include "job/console.h"
#include "request/batch.h"

typedef struct RequestLog {
    Console *console; /* borrowed */
    RateLimit noise, unknown;
} RequestLog;

void request_log_init(RequestLog *l, Console *console);

/* Marks the request as quiet if too many are answered at once: a flood of requests must not flood
 * the journal and the bus. */
void request_log_decide_noise(RequestLog *l, Request *q);

/* Call it after the transition. */
void request_log_transition(const BatchEntry *e);
void request_log_started(const RequestLog *l, const Request *q);
void request_log_ended(const Request *q, JobEnd end);
/* Call it when the reply is stored. */
void request_log_replied(const Request *q, int return_code);
/* Call it when no further reply follows. */
void request_log_result(const RequestLog *l, const Request *q, int return_code);
void request_log_unknown_argument(RequestLog *l, const Request *q, const char *name);
