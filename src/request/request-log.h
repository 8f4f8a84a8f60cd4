/* SPDX-License-Identifier: Apache-2.0 */
/* What the journal and the manager's console are told of requests. */
#pragma once

#include "basic/ratelimit.h"
#include "job/console.h"
#include "request/batch.h"

typedef struct RequestLog {
    Console *console; /* borrowed */
    RateLimit noise, unknown;
} RequestLog;

void request_log_init(RequestLog *l, Console *console);

/* It is answered at once: a flood of such requests must not be one in the journal and on the bus,
 * and those beyond so many are quiet. */
void request_log_decide_noise(RequestLog *l, Request *q);

/* It has been made. */
void request_log_transition(const BatchEntry *e);
void request_log_started(const RequestLog *l, const Request *q);
void request_log_ended(const Request *q, JobEnd end);
/* Its reply is stored. */
void request_log_replied(const Request *q, int return_code);
/* And there is no more to come. */
void request_log_result(const RequestLog *l, const Request *q, int return_code);
void request_log_unknown_argument(RequestLog *l, const Request *q, const char *name);
