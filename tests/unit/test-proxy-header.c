/* SPDX-License-Identifier: Apache-2.0 */
/* Proves which headers of the PROXY protocol are taken, byte for byte, and that others are not. */
#include <arpa/inet.h>
#include <glib.h>
#include <netinet/in.h>

#include "proto/proxy-header.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

typedef struct Case {
    const char *data;
    size_t size;
    ssize_t result;
    const char *address; /* NULL: the connection's own */
} Case;

#define CASE(text, result, address)                                                                \
    { SIGNATURE text, sizeof(SIGNATURE text) - 1, result, address }

static const Case cases[] = {
    CASE("\x21\x11\0\x0c\xc0\0\2\7\x7f\0\0\1\x10\x92\1\xbb", 28, "192.0.2.7 4242"),
    /* bytes behind it are not part of it */
    CASE("\x21\x11\0\x0c\xc0\0\2\7\x7f\0\0\1\x10\x92\1\xbb\x16\3\1", 28, "192.0.2.7 4242"),
    /* extensions are skipped */
    CASE("\x21\x11\0\x10\xc0\0\2\7\x7f\0\0\1\x10\x92\1\xbb\4\0\1x", 32, "192.0.2.7 4242"),
    CASE("\x21\x21\0\x24\x20\1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\x09"
         "\x20\1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x10\x92\1\xbb",
         52, "2001:db8::9 4242"),
    /* LOCAL: a health check of the proxy itself, with or without addresses */
    CASE("\x20\0\0\0", 16, NULL),
    CASE("\x20\x11\0\x0c\xc0\0\2\7\x7f\0\0\1\x10\x92\1\xbb", 28, NULL),
    /* an unknown family */
    CASE("\x21\0\0\0", 16, NULL),
    CASE("\x21\0\0\3abc", 19, NULL),
    /* too short for its family */
    CASE("\x21\x11\0\x0b\xc0\0\2\7\x7f\0\0\1\x10\x92\1", -EPROTO, NULL),
    CASE("\x21\x21\0\x0c\xc0\0\2\7\x7f\0\0\1\x10\x92\1\xbb", -EPROTO, NULL),
    /* other versions, commands, families and transports; too long */
    CASE("\x11\x11\0\x0c\xc0\0\2\7\x7f\0\0\1\x10\x92\1\xbb", -EPROTO, NULL),
    CASE("\x22\x11\0\x0c\xc0\0\2\7\x7f\0\0\1\x10\x92\1\xbb", -EPROTO, NULL),
    CASE("\x21\x41\0\x0c\xc0\0\2\7\x7f\0\0\1\x10\x92\1\xbb", -EPROTO, NULL),
    CASE("\x21\x13\0\x0c\xc0\0\2\7\x7f\0\0\1\x10\x92\1\xbb", -EPROTO, NULL),
    CASE("\x21\x11\xff\xff\xc0\0\2\7\x7f\0\0\1\x10\x92\1\xbb", -EPROTO, NULL),
    {"PROXY TCP4 192.0.2.7 127.0.0.1 4242 443\r\n", 41, -EPROTO, NULL},
    {"\x16\3\1\2\0\1\0\1\xfc\3\3\0\0\0\0\0\0", 17, -EPROTO, NULL},
    {"GET / HTTP/1.1\r\n\r\n", 18, -EPROTO, NULL},
    {"", 0, -EAGAIN, NULL},
};

static void check_address(const struct sockaddr_storage *found, const char *expected) {
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)found;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)found;
    g_autofree char *text = NULL;
    char host[INET6_ADDRSTRLEN] = "";

    if (!expected) {
        g_assert_cmpint(found->ss_family, ==, AF_UNSPEC);
        return;
    }
    g_assert_nonnull(inet_ntop(found->ss_family,
                               found->ss_family == AF_INET6 ? (const void *)&v6->sin6_addr
                                                            : (const void *)&v4->sin_addr,
                               host, sizeof(host)));
    text = g_strdup_printf("%s %u", host,
                           ntohs(found->ss_family == AF_INET6 ? v6->sin6_port : v4->sin_port));
    g_assert_cmpstr(text, ==, expected);
}

static void test_cases(void) {
    struct sockaddr_storage address;

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        const Case *c = &cases[i];

        g_test_message("case %zu", i);
        g_assert_cmpint(proxy_header_parse(c->data, c->size, &address), ==, c->result);
        if (c->result > 0)
            check_address(&address, c->address);
        for (size_t size = 0; c->result > 0 && size < (size_t)c->result; size++)
            g_assert_cmpint(proxy_header_parse(c->data, size, &address), ==, -EAGAIN);
    }
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/proxy-header/cases", test_cases);
    return g_test_run();
}
