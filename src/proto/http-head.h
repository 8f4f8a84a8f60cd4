/* SPDX-License-Identifier: Apache-2.0 */
/* The head of an HTTP/1.1 message (RFC 9112, section 2.1). Fields are looked up in the unparsed
 * text; nothing is copied or kept. */
#pragma once

#include "basic/macro.h"

#define HTTP_QUOTED_MAX 80 /* of what a peer says, in an error text */

typedef struct HttpSlice {
    const char *data;
    size_t size;
} HttpSlice;

/* What the server, or a proxy, made of our request. */
typedef struct HttpAnswer {
    int status;                /* 0 if there was no status line */
    uint64_t retry_after_usec; /* with 429 and 503; 0: not said */
    char error[256];           /* empty when it was granted; with a remedy */
} HttpAnswer;

/* Size of the head (up to and with its empty line) at the start of data; -EAGAIN: not whole yet;
 * -E2BIG: no end within HTTP_HEAD_MAX. */
ssize_t http_head_size(const char *data, size_t size);

/* Without regard to case. */
bool http_slice_equals(HttpSlice s, const char *text);
/* The next line of the head, without its CRLF; *head moves on. */
bool http_next_line(HttpSlice *head, HttpSlice *ret);
/* RFC 9110, section 5: a field may stand on several lines; `want` asks for one element of the
 * comma-separated list, NULL takes the first line's whole value. */
bool http_find_field(HttpSlice head, const char *name, const char *want, HttpSlice *ret_value);
/* -EPROTO unless the first line is "HTTP/1.x NNN reason". */
int http_parse_status_line(HttpSlice head, int *ret_status, HttpSlice *ret_line);
/* RFC 9110, section 10.2.3, in seconds; 0: there is none. At most RETRY_AFTER_USEC_MAX. */
uint64_t http_retry_after_usec(HttpSlice head);
/* Copies the beginning, what cannot be printed as '?'. */
void http_quote(HttpSlice s, char *ret, size_t size);
