/* SPDX-License-Identifier: Apache-2.0 */
/* Parser of the alert file of OSSEC and Wazuh: bytes in, alerts out. */
#pragma once

#include "proto/alert.h"

typedef struct LoggedAlert {
    Alert alert; /* points to these texts: */
    char *user, *source_ip, *subject, *message;
} LoggedAlert;

void logged_alert_done(LoggedAlert *a);

/* Parses the beginning of the bytes. `in_line`: the byte before them does not end a line.
 * `is_last`: the file ends with them. *ret_size is the number of consumed bytes; 0 if the parser
 * needs more bytes, ALERT_PIECE_MAX at most. 1: an alert; 0: bytes that are not an alert; -EBADMSG:
 * an invalid alert. -ENOMEM leaves *ret_size unset. */
int alert_log_take(const char *buf, size_t size, bool in_line, bool is_last, size_t *ret_size,
                   LoggedAlert *ret);

/* A newline; or a NUL, because a power loss leaves NULs where data did not reach the disk. */
bool alert_log_ends_line(char c) _const_;

/* Whether an alert begins within these first bytes of a file. */
bool alert_log_has_begin(const char *buf, size_t size);
