/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/alert.h"

#include <inttypes.h>
#include <stdio.h>

#include "proto/message.h"

void alert_hash(const Alert *a, char ret[static SHA256_HEX_SIZE]) {
    char time[24];
    Sha256 s;

    (void)snprintf(time, sizeof(time), "%" PRIu64, a->time_ms);
    sha256_init(&s);
    sha256_update(&s, time, strlen(time));
    sha256_update(&s, a->subject, strlen(a->subject));
    sha256_update(&s, a->message, strlen(a->message));
    sha256_final_hex(&s, ret);
}

int alert_to_message(const Alert *a, const char *request_id, uint64_t current_ms,
                     struct json_object **ret) {
    _cleanup_json_ struct json_object *o = json_object_new_object();
    char hash[SHA256_HEX_SIZE];
    int r;

    if (!o)
        return -ENOMEM;
    alert_hash(a, hash);
    r = json_add_string(o, "type", message_type_to_string(MESSAGE_ALERT))
            ?: json_add_string(o, "request_id", request_id)
            /* a number with a fraction, as it always was */
            ?: json_add(o, "current_timestamp", json_object_new_double((double)current_ms))
            ?: json_add_int(o, "alert_timestamp", (int64_t)a->time_ms)
            ?: json_add_int(o, "level", a->level)
            ?: json_add_int(o, "rule", a->rule)
            ?: json_add_string(o, "user", a->user)
            ?: json_add_string(o, "source_ip", a->source_ip)
            ?: json_add_string(o, "message", a->message)
            ?: json_add_string(o, "subject", a->subject)
            ?: json_add_string(o, "alert_hash", hash);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(o);
    return 0;
}
