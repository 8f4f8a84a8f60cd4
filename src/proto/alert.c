/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/alert.h"

#include <inttypes.h>
#include <stdio.h>

#include "proto/message.h"

static void add_number(Sha256 *s, uint64_t n) {
    char text[24];

    (void)snprintf(text, sizeof(text), "%" PRIu64, n);
    sha256_update(s, text, strlen(text));
}

static void add_content(Sha256 *s, const Alert *a) {
    add_number(s, a->time_ms);
    sha256_update(s, a->subject, strlen(a->subject));
    sha256_update(s, a->message, strlen(a->message));
}

void alert_hash(const Alert *a, char ret[static SHA256_HEX_SIZE]) {
    Sha256 s;

    sha256_init(&s);
    add_content(&s, a);
    sha256_final_hex(&s, ret);
}

void alert_key(const Alert *a, char ret[static SHA256_HEX_SIZE]) {
    Sha256 s;

    sha256_init(&s);
    add_number(&s, a->place);
    sha256_update(&s, " ", 1);
    add_content(&s, a);
    sha256_final_hex(&s, ret);
}

int alert_to_message(const Alert *a, const char *request_id, uint64_t current_ms,
                     struct json_object **ret) {
    _cleanup_json_ struct json_object *o = json_object_new_object();
    char hash[SHA256_HEX_SIZE];

    if (!o)
        return -ENOMEM;
    alert_hash(a, hash);
    TRY(json_add_string(o, "type", message_type_to_string(MESSAGE_ALERT)));
    TRY(json_add_string(o, "request_id", request_id));
    /* a number with a fraction, as the Python agent sent it */
    TRY(json_add(o, "current_timestamp", json_object_new_double((double)current_ms)));
    TRY(json_add_int(o, "alert_timestamp", (int64_t)a->time_ms));
    TRY(json_add_int(o, "level", a->level));
    TRY(json_add_int(o, "rule", a->rule));
    TRY(json_add_string(o, "user", a->user));
    TRY(json_add_string(o, "source_ip", a->source_ip));
    TRY(json_add_string(o, "message", a->message));
    TRY(json_add_string(o, "subject", a->subject));
    TRY(json_add_string(o, "alert_hash", hash));
    *ret = TAKE_PTR(o);
    return 0;
}
