/* SPDX-License-Identifier: Apache-2.0 */
/* The header by which a proxy tells for whom it connects: PROXY protocol, version 2
 * (proxy-protocol.txt of HAProxy, section 2.2). */
#pragma once

#include <sys/socket.h>

#include "basic/macro.h"

/* With its extensions (TLV), which are skipped. */
#define PROXY_HEADER_SIZE_MAX ((size_t)2048)

/* The size of the header that `data` begins with; -EAGAIN: more bytes are needed; -EPROTO: it is
 * none. ret->ss_family is AF_INET, AF_INET6, or AF_UNSPEC: the proxy speaks for itself, or the
 * client has no such address. */
ssize_t proxy_header_parse(const void *data, size_t size, struct sockaddr_storage *ret);
