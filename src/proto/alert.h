/* SPDX-License-Identifier: Apache-2.0 */
/* Alerts (docs/protocol.md, section 8): what one is, its hash, and its message. */
#pragma once

#include "basic/sha256.h"
#include "proto/json.h"

typedef struct Alert {
    uint64_t time_ms; /* since the epoch */
    uint64_t place;   /* tells alerts apart that are equal; the manager is not told */
    int level, rule;
    const char *user, *source_ip; /* NULL: not known */
    const char *subject, *message;
} Alert;

/* alert_hash of the message: over time, subject and message. */
void alert_hash(const Alert *a, char ret[static SHA256_HEX_SIZE]);
/* What makes two alerts the same one: these, and their place. */
void alert_key(const Alert *a, char ret[static SHA256_HEX_SIZE]);
/* The whole ALERT message. */
int alert_to_message(const Alert *a, const char *request_id, uint64_t current_ms,
                     struct json_object **ret);
