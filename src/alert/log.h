/* SPDX-License-Identifier: Apache-2.0 */
/* The alert file of OSSEC and Wazuh: bytes in, alerts out. */
#pragma once

#include "proto/alert.h"

typedef struct LoggedAlert {
    Alert alert; /* its texts are these: */
    char *user, *source_ip, *subject, *message;
} LoggedAlert;

void logged_alert_done(LoggedAlert *a);

/* What the bytes begin with. `in_line`: they do not follow a byte that ends a line. `is_last`:
 * nothing follows them. *ret_size is how many are done with; 0 if more of them are needed, and
 * ALERT_PIECE_MAX is enough. 1: an alert; 0: nothing that is one; -EBADMSG: what should be one and
 * cannot be understood. On -ENOMEM *ret_size is not set. */
int alert_log_take(const char *buf, size_t size, bool in_line, bool is_last, size_t *ret_size,
                   LoggedAlert *ret);

/* A newline; or a NUL, of which a power loss leaves a run where data never reached the disk. */
bool alert_log_ends_line(char c) _const_;

/* Whether an alert begins somewhere in the bytes, which begin a file. */
bool alert_log_has_begin(const char *buf, size_t size);
