/* SPDX-License-Identifier: Apache-2.0 */
/* What dcm-fetch is to download, as the agent tells it on its standard input: a text of lines, with
 * the certificate at its end.
 *
 *     DCM_FETCH=1
 *     PATIENCE_USEC=30000000
 *     URL=https://user:password@host/script
 *     -----BEGIN CERTIFICATE-----
 *     ...
 *
 * The URL may hold a password, so the text is in a file without a name and nowhere else. */
#pragma once

#include "basic/bounds.h"
#include "basic/macro.h"

typedef struct FetchOrder {
    char *url;              /* http, https or file; printable ASCII without blanks */
    uint64_t patience_usec; /* for a connection, and for a source that sends nothing */
    char *certificate;      /* PEM, trusted instead of the system's authorities; NULL: none */
} FetchOrder;

/* Clears the strings before it frees them. */
void fetch_order_done(FetchOrder *o);

/* A text of at most FETCH_ORDER_MAX bytes; the caller clears and frees it. -EINVAL: the order is
 * none that fetch_order_parse() would take. */
int fetch_order_render(const FetchOrder *o, char **ret);

/* text[size] must be 0. -EBADMSG: nothing that fetch_order_render() makes. */
int fetch_order_parse(const char *text, size_t size, FetchOrder *ret);

/* A URL that can be ordered at all: its scheme, its size and its characters. */
bool fetch_url_is_valid(const char *url) _pure_;
/* Of these, the ones whose content comes from the network. */
bool fetch_url_is_remote(const char *url) _pure_;
/* And of these, the ones whose source is checked. */
bool fetch_url_is_tls(const char *url) _pure_;

/* Whether it looks like certificates in PEM; what they are worth shows in the handshake. */
bool fetch_certificate_is_valid(const char *text) _pure_;
