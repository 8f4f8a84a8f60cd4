/* SPDX-License-Identifier: Apache-2.0 */
#include "request/request-log.h"

#include <stdio.h>

#include "basic/bounds.h"
#include "basic/log-fields.h"
#include "basic/log.h"
#include "basic/utf8.h"
#include "proto/message.h"

/* limit of requests answered at once that get journal lines and signals */
#define NOISE_INTERVAL_USEC (10 * USEC_PER_SEC)
#define NOISE_BURST 200

#define FIELDS(q) LOG_FIELDS(LOG_REQUEST((q)->task.guid), LOG_COMMAND((q)->task.command))

void request_log_init(RequestLog *l, Console *console) {
    l->console = console;
    l->noise = (RateLimit){.interval_usec = NOISE_INTERVAL_USEC, .burst = NOISE_BURST};
    l->unknown = l->noise;
}

void request_log_decide_noise(RequestLog *l, Request *q) {
    unsigned missed;

    q->quiet = !ratelimit_below(&l->noise, &missed);
    if (missed > 0)
        log_info("%u more requests that were answered at once are not logged", missed);
}

void request_log_transition(const BatchEntry *e) {
    const Request *q = e->request;
    int level = q->quiet ? LOG_DEBUG : LOG_INFO;

    if (e->event == REQUEST_EVENT_ACCEPT)
        (void)log_struct(level, 0,
                         LOG_FIELDS(LOG_ID(DCM_MESSAGE_REQUEST_ACCEPTED), LOG_REQUEST(q->task.guid),
                                    LOG_COMMAND(q->task.command), LOG_STATE("ACKED")),
                         "Accepted request %s: %s", q->task.guid, q->task.command);
    else if (e->event == REQUEST_EVENT_REJECT)
        (void)log_struct(LOG_WARNING, 0,
                         LOG_FIELDS(LOG_ID(DCM_MESSAGE_REQUEST_REFUSED), LOG_REQUEST(q->task.guid),
                                    LOG_COMMAND(q->task.command), LOG_STATE("NACKED")),
                         "Refused request %s: %s", q->task.guid, q->error_message);
    else if (e->event == REQUEST_EVENT_ACK && q->state == REQUEST_STATE_REPLY_ACKED)
        (void)log_struct(level, 0,
                         LOG_FIELDS(LOG_ID(DCM_MESSAGE_REQUEST_ACKNOWLEDGED),
                                    LOG_REQUEST(q->task.guid), LOG_COMMAND(q->task.command),
                                    LOG_STATE("REPLY_ACKED")),
                         "The manager acknowledged the reply to %s", q->task.guid);
    if (e->actions & REQUEST_ACTION_DROP_REPLY)
        (void)log_struct(LOG_NOTICE, 0, FIELDS(q),
                         "The manager no longer wants the reply to %s; it is discarded",
                         q->task.guid);
}

void request_log_started(const RequestLog *l, const Request *q) {
    console_log(l->console, LOG_INFO, "The job %s has started with request_id %s.", q->task.command,
                q->task.guid);
}

void request_log_ended(const Request *q, JobEnd end) {
    if (end == JOB_END_LOST)
        (void)log_struct(LOG_ERR, 0,
                         LOG_FIELDS(LOG_ID(DCM_MESSAGE_JOB_LOST), LOG_REQUEST(q->task.guid),
                                    LOG_COMMAND(q->task.command)),
                         "The job of %s was interrupted; its result is lost", q->task.guid);
    else if (end == JOB_END_DONE)
        (void)log_struct(LOG_INFO, 0,
                         LOG_FIELDS(LOG_ID(DCM_MESSAGE_JOB_ENDED), LOG_REQUEST(q->task.guid),
                                    LOG_COMMAND(q->task.command)),
                         "%s of %s has ended", q->task.command, q->task.guid);
}

void request_log_replied(const Request *q, int return_code) {
    char code[16];

    (void)snprintf(code, sizeof(code), "%d", return_code);
    (void)log_struct(
        q->quiet ? LOG_DEBUG : LOG_INFO, 0,
        LOG_FIELDS(LOG_ID(DCM_MESSAGE_REQUEST_REPLIED), LOG_REQUEST(q->task.guid),
                   LOG_COMMAND(q->task.command), LOG_STATE("REPLY"), LOG_RETURN_CODE(code)),
        "The reply to %s is stored: %s ended with %d", q->task.guid, q->task.command, return_code);
}

void request_log_result(const RequestLog *l, const Request *q, int return_code) {
    if (return_code == 0)
        console_log(l->console, LOG_INFO, "The job %s with request_id %s has succeeded.",
                    q->task.command, q->task.guid);
    else
        console_log(l->console, LOG_ERR,
                    "The job %s with request_id %s has failed with return code %d.",
                    q->task.command, q->task.guid, return_code);
}

void request_log_unknown_argument(RequestLog *l, const Request *q, const char *name) {
    unsigned missed;

    if (!ratelimit_below(&l->unknown, &missed)) /* limits these warnings in a flood */
        return;
    if (missed > 0)
        log_warning("%u more unknown arguments are not logged", missed);
    (void)log_struct(LOG_WARNING, 0, FIELDS(q), "%s: the unknown argument '%.*s' is ignored",
                     q->task.command, UTF8_SHORT(name, COMMAND_FILE_NAME_MAX));
    console_log(l->console, LOG_WARNING,
                "The command %s with request_id %s ignores the unknown parameter %.*s.",
                q->task.command, q->task.guid, UTF8_SHORT(name, COMMAND_FILE_NAME_MAX));
}
