/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of Varlink (https://varlink.org/Method-Call): JSON objects that end with a NUL. */
#pragma once

#include "proto/json.h"

/* The strings and `parameters` belong to `json`. */
typedef struct VarlinkCall {
    struct json_object *json;
    const char *method;             /* with its interface: "org.example.Interface.Method" */
    struct json_object *parameters; /* an object, or NULL */
    bool oneway, more;
} VarlinkCall;

/* Parses a message without its NUL. -EBADMSG: not a call. */
int varlink_call_parse(const char *text, size_t size, VarlinkCall *ret);
void varlink_call_done(VarlinkCall *c);

/* These return messages including the NUL, which *ret_size counts; the caller frees them. They take
 * ownership of the parameters, which may be NULL. */
int varlink_reply_encode(struct json_object *parameters, char **ret, size_t *ret_size);
int varlink_error_encode(const char *error, struct json_object *parameters, char **ret,
                         size_t *ret_size);
int varlink_call_encode(const char *method, struct json_object *parameters, char **ret,
                        size_t *ret_size);

/* Parses an answer without its NUL. 0: a reply; -EREMOTEIO: an error, whose name is in *ret_error
 * (the caller frees); -EBADMSG: neither. */
int varlink_answer_parse(const char *text, size_t size, char **ret_error);
