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

/* -EINVAL and a reason in *ret_error (static) for anything else than a ws or wss URL. */
int url_parse(const char *text, Url *ret, const char **ret_error);
void url_done(Url *u);

/* The Host header: with the port where it is not the default one, IPv6 addresses in brackets. */
int url_host_header(const Url *u, char **ret);
