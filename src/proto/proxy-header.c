/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/proxy-header.h"

#include <netinet/in.h>

#define VERSION 0x20u
#define COMMAND_LOCAL 0u
#define COMMAND_PROXY 1u
#define FAMILY_INET 1u
#define FAMILY_INET6 2u
#define FAMILY_MAX 3u    /* UNIX */
#define TRANSPORT_MAX 2u /* datagrams */

static const uint8_t signature[12] = {'\r', '\n', '\r', '\n', 0,   '\r',
                                      '\n', 'Q',  'U',  'I',  'T', '\n'};

/* Of both ends: the client's first. All are in network byte order. */
typedef struct Inet {
    uint8_t client[4], server[4];
    uint8_t client_port[2], server_port[2];
} Inet;

typedef struct Inet6 {
    uint8_t client[16], server[16];
    uint8_t client_port[2], server_port[2];
} Inet6;

static int take_inet(const uint8_t *data, size_t size, struct sockaddr_storage *ret) {
    struct sockaddr_in *address = (struct sockaddr_in *)ret;
    Inet a;

    if (size < sizeof(a))
        return -EPROTO;
    memcpy(&a, data, sizeof(a));
    address->sin_family = AF_INET;
    memcpy(&address->sin_addr, a.client, sizeof(a.client));
    memcpy(&address->sin_port, a.client_port, sizeof(a.client_port));
    return 0;
}

static int take_inet6(const uint8_t *data, size_t size, struct sockaddr_storage *ret) {
    struct sockaddr_in6 *address = (struct sockaddr_in6 *)ret;
    Inet6 a;

    if (size < sizeof(a))
        return -EPROTO;
    memcpy(&a, data, sizeof(a));
    address->sin6_family = AF_INET6;
    memcpy(&address->sin6_addr, a.client, sizeof(a.client));
    memcpy(&address->sin6_port, a.client_port, sizeof(a.client_port));
    return 0;
}

ssize_t proxy_header_parse(const void *data, size_t size, struct sockaddr_storage *ret) {
    const size_t head = sizeof(signature) + 4;
    const uint8_t *bytes = data;
    unsigned command, family;
    size_t rest;

    memset(ret, 0, sizeof(*ret));
    if (memcmp(bytes, signature, MIN(size, sizeof(signature))) != 0)
        return -EPROTO;
    if (size < head)
        return -EAGAIN;
    command = bytes[12] & 15u;
    family = bytes[13] >> 4;
    rest = (size_t)bytes[14] << 8 | bytes[15];
    if ((bytes[12] & 0xf0u) != VERSION || command > COMMAND_PROXY || family > FAMILY_MAX ||
        (bytes[13] & 15u) > TRANSPORT_MAX || head + rest > PROXY_HEADER_SIZE_MAX)
        return -EPROTO;
    if (size < head + rest)
        return -EAGAIN;
    if (command == COMMAND_PROXY && family == FAMILY_INET)
        TRY(take_inet(bytes + head, rest, ret));
    if (command == COMMAND_PROXY && family == FAMILY_INET6)
        TRY(take_inet6(bytes + head, rest, ret));
    return (ssize_t)(head + rest);
}
