/* SPDX-License-Identifier: Apache-2.0 */
/* ws:// and wss:// URLs (RFC 6455, section 3). */
#pragma once

#include "basic/macro.h"

typedef struct Url {
    bool tls;
    char *host; /* a name or an address, without the brackets of an IPv6 address */
    uint16_t port;
    char *target; /* path and query, begins with a slash */
    char *origin; /* the whole URL as given */
} Url;

/* -EINVAL, with a reason in *ret_error (static), for anything but a ws or wss URL. */
int url_parse(const char *text, Url *ret, const char **ret_error);
void url_done(Url *u);

/* Builds the Host header: with the port unless it is the default, IPv6 addresses in brackets. */
int url_host_header(const Url *u, char **ret);

/* Parses "host", "host:port", "[v6]" and "[v6]:port" (RFC 3986, section 3.2, without user). Leaves
 * *port unchanged if the text has none. -EINVAL, with a reason in *ret_error (static). The caller
 * frees the host. */
int url_parse_authority(const char *text, size_t size, char **ret_host, uint16_t *port,
                        const char **ret_error);
/* The reverse; omits port 0. The caller frees. */
int url_format_authority(const char *host, uint16_t port, char **ret);
/* Whether all characters are printable ASCII without blanks. */
bool url_is_printable(const char *text) _pure_;
