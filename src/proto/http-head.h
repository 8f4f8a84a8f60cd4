/* SPDX-License-Identifier: Apache-2.0 */
/* The head of an HTTP/1.1 message (RFC 9112, section 2.1). Looks fields up in the unparsed text;
 * copies and keeps nothing. */
#pragma once

#include "basic/macro.h"

#define HTTP_QUOTED_MAX 80 /* of a peer's text, in an error text */

typedef struct HttpSlice {
    const char *data;
    size_t size;
} HttpSlice;

/* Result of a request to the server or a proxy. */
typedef struct HttpAnswer {
    int status;                /* 0 if there was no status line */
    uint64_t retry_after_usec; /* with 429 and 503; 0: absent */
    char error[256];           /* with a remedy; empty on success */
} HttpAnswer;

/* Size of the head at the start of data, its empty line included; -EAGAIN: incomplete; -E2BIG: no
 * end within HTTP_HEAD_MAX. */
ssize_t http_head_size(const char *data, size_t size);

/* Ignores case. */
bool http_slice_equals(HttpSlice s, const char *text);
/* Takes the next line, without its CRLF, off *head. False: no line is left. */
bool http_next_line(HttpSlice *head, HttpSlice *ret);
/* Finds a field, which may stand on several lines (RFC 9110, section 5). `want` looks for one
 * element of the comma-separated list; NULL returns the whole value of the first line. */
bool http_find_field(HttpSlice head, const char *name, const char *want, HttpSlice *ret_value);
/* -EPROTO unless the first line is "HTTP/1.x NNN reason". */
int http_parse_status_line(HttpSlice head, int *ret_status, HttpSlice *ret_line);
/* The seconds of Retry-After (RFC 9110, section 10.2.3), at most RETRY_AFTER_USEC_MAX; 0: none. */
uint64_t http_retry_after_usec(HttpSlice head);
/* Copies the beginning of the text, with '?' for unprintable characters. */
void http_quote(HttpSlice s, char *ret, size_t size);
