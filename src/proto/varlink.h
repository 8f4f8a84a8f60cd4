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

/* A message without the NUL. -EBADMSG: it is no call. */
int varlink_call_parse(const char *text, size_t size, VarlinkCall *ret);
void varlink_call_done(VarlinkCall *c);

/* Messages with the NUL, which *ret_size counts; the caller frees. Take over the parameters; NULL:
 * none. */
int varlink_reply_encode(struct json_object *parameters, char **ret, size_t *ret_size);
int varlink_error_encode(const char *error, struct json_object *parameters, char **ret,
                         size_t *ret_size);
int varlink_call_encode(const char *method, struct json_object *parameters, char **ret,
                        size_t *ret_size);

/* An answer without the NUL: 0; -EREMOTEIO: an error, whose name is *ret_error (the caller frees);
 * -EBADMSG: neither. */
int varlink_answer_parse(const char *text, size_t size, char **ret_error);
