/* SPDX-License-Identifier: Apache-2.0 */
/* One query of a metadata service: plain HTTP to a nearby server, without proxy, redirects or
 * compression, limited in time and size. */
#pragma once

#include "basic/macro.h"

#define HTTP_HEADERS_MAX 2

typedef struct HttpRequest {
    const char *url;
    const char *method;                    /* NULL: GET */
    const char *headers[HTTP_HEADERS_MAX]; /* "Name: value" */
    const char *answer_header;             /* required in the response; may be NULL */
    size_t size_max;                       /* of the response */
} HttpRequest;

/* Ends by `deadline_usec` (CLOCK_BOOTTIME). -ENOENT: 404 or 405; -EACCES: 401 or 403; -EREMOTEIO:
 * another status than 200; -EHOSTUNREACH: no connection in time; -ETIMEDOUT: no response in time;
 * -ECONNREFUSED: no server; -EFBIG; -EPROTO: not HTTP, or the required header is missing. The body
 * ends with a NUL and belongs to the caller. */
int http_ask(const HttpRequest *q, uint64_t deadline_usec, char **ret, size_t *ret_size);
/* The text of such an error, for people. */
const char *http_strerror(int error);
