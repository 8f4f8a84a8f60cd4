/* SPDX-License-Identifier: Apache-2.0 */
/* One question to a metadata service: plain HTTP to a near server, without proxy, redirects or
 * compression, bounded in time and size. */
#pragma once

#include "basic/macro.h"

#define HTTP_HEADERS_MAX 2

typedef struct HttpRequest {
    const char *url;
    const char *method;                    /* NULL: GET */
    const char *headers[HTTP_HEADERS_MAX]; /* "Name: value" */
    const char *answer_header;             /* the answer must have it; NULL: whatever */
    size_t size_max;                       /* of the answer */
} HttpRequest;

/* Ends at `deadline_usec` (CLOCK_BOOTTIME) at the latest. -ENOENT: 404 or 405; -EACCES: 401 or 403;
 * -EREMOTEIO: another status than 200; -EHOSTUNREACH: no connection in time; -ETIMEDOUT: no
 * answer in time; -ECONNREFUSED: nobody is there; -EFBIG; -EPROTO:
 * that is no HTTP, or the header is missing. The body ends with a NUL and belongs to the caller. */
int http_ask(const HttpRequest *q, uint64_t deadline_usec, char **ret, size_t *ret_size);
/* What such an error means, for people. */
const char *http_strerror(int error);
