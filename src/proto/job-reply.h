/* SPDX-License-Identifier: Apache-2.0 */
/* What a program that does a command prints: dcm-agent-commands.d(5), output = reply. */
#pragma once

#include "proto/json.h"

/* Exit statuses. The return_code of the reply is 1 for both, as the Python agent had it. */
#define REPLY_FAILED 1
#define REPLY_REFUSED 3

typedef struct Reply {
    int status;             /* exit status */
    int return_code;        /* of a reply with a status; 0: it is 1 */
    const char *reply_type; /* static; NULL: void */
    const char *error_type; /* static; the type of an error with a code */
    struct json_object *object;
    char *message, *error_message;
} Reply;

void reply_done(Reply *r);

/* An error for people. `code` (may be NULL) tells a program why. */
int reply_set_error(Reply *r, int status, const char *code, const char *text);
/* Adds a line to the message. */
int reply_add_line(Reply *r, const char *text);

/* One JSON object on standard output. */
int reply_print(const Reply *r);
