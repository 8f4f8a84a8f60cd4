/* SPDX-License-Identifier: Apache-2.0 */
/* The ALERT message (docs/protocol.md, section 8) and the hashes of an alert. */
#pragma once

#include "basic/sha256.h"
#include "proto/json.h"

typedef struct Alert {
    uint64_t time_ms; /* since the epoch */
    uint64_t place;   /* distinguishes equal alerts; not sent */
    int level, rule;
    const char *user, *source_ip; /* may be NULL: unknown */
    const char *subject, *message;
} Alert;

/* Computes the alert_hash of the message from time, subject and message. */
void alert_hash(const Alert *a, char ret[static SHA256_HEX_SIZE]);
/* Computes the identity of an alert: a hash over the same and its place. */
void alert_key(const Alert *a, char ret[static SHA256_HEX_SIZE]);
/* Builds the complete ALERT message. */
int alert_to_message(const Alert *a, const char *request_id, uint64_t current_ms,
                     struct json_object **ret);
