/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's order for dcm-fetch, on its standard input: lines of text, with the certificate at
 * the end.
 *
 *     DCM_FETCH=1
 *     PATIENCE_USEC=30000000
 *     URL=https://user:password@host/script
 *     -----BEGIN CERTIFICATE-----
 *     ...
 *
 * The URL may contain a password, so the text exists only in an unnamed file. */
#pragma once

#include "basic/bounds.h"
#include "basic/macro.h"

typedef struct FetchOrder {
    char *url;              /* http, https or file; printable ASCII without blanks */
    uint64_t patience_usec; /* for a connection, and for a source that sends nothing */
    char *certificate;      /* PEM, trusted instead of the system's authorities; may be NULL */
} FetchOrder;

/* Clears the strings before it frees them. */
void fetch_order_done(FetchOrder *o);

/* Returns a text of at most FETCH_ORDER_MAX bytes; the caller clears and frees it. -EINVAL:
 * fetch_order_parse() would refuse the order. */
int fetch_order_render(const FetchOrder *o, char **ret);

/* text[size] must be 0. -EBADMSG: not in the format of fetch_order_render(). */
int fetch_order_parse(const char *text, size_t size, FetchOrder *ret);

/* Whether scheme, size and characters permit a download. */
bool fetch_url_is_valid(const char *url) _pure_;
/* Whether the content of a valid URL comes from the network. */
bool fetch_url_is_remote(const char *url) _pure_;
/* Whether TLS authenticates the source of a valid URL. */
bool fetch_url_is_tls(const char *url) _pure_;

/* Checks for the form of PEM only; the TLS handshake checks the certificates themselves. */
bool fetch_certificate_is_valid(const char *text) _pure_;
