/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>

#include "basic/macro.h"

#define ADDRESS_SIZE (INET6_ADDRSTRLEN + 16)

/* "192.0.2.1". Leaves `ret` unchanged for other address families. */
static inline void address_get_text(const struct sockaddr *address,
                                    char ret[static INET6_ADDRSTRLEN]) {
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;

    (void)inet_ntop(address->sa_family,
                    address->sa_family == AF_INET6 ? (const void *)&v6->sin6_addr
                                                   : (const void *)&v4->sin_addr,
                    ret, INET6_ADDRSTRLEN);
}

/* "192.0.2.1 port 443" */
static inline void address_format(const struct sockaddr *address, char ret[static ADDRESS_SIZE]) {
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
    bool is_v6 = address->sa_family == AF_INET6;
    char text[INET6_ADDRSTRLEN] = "?";

    address_get_text(address, text);
    (void)snprintf(ret, ADDRESS_SIZE, "%s port %u", text,
                   ntohs(is_v6 ? v6->sin6_port : v4->sin_port));
}
