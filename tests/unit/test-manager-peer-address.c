/* SPDX-License-Identifier: Apache-2.0 */
/* Proves which connections count as of one address: all of an IPv4 address, however it is written,
 * and all of a /64. */
#include <arpa/inet.h>
#include <glib.h>
#include <netinet/in.h>
#include <unistd.h>

#include "dcm-manager/peer-address.h"

static void make_key(const char *text, uint8_t *ret) {
    struct sockaddr_storage address = {};
    struct sockaddr_in *ipv4 = (struct sockaddr_in *)&address;
    struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)&address;

    if (inet_pton(AF_INET, text, &ipv4->sin_addr) == 1) {
        address.ss_family = AF_INET;
        ipv4->sin_port = htons(4711);
    } else {
        g_assert_cmpint(inet_pton(AF_INET6, text, &ipv6->sin6_addr), ==, 1);
        address.ss_family = AF_INET6;
        ipv6->sin6_port = htons(4712);
    }
    peer_address_make_key(&address, ret);
}

static void test_key(void) {
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.2", false},
        {"192.0.2.1", "::ffff:192.0.2.1", true},
        {"2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true},
        {"2001:db8::1", "2001:db8:0:1::1", false},
        {"c000:201::1", "192.0.2.1", false},
        {"::1", "0.0.0.0", false},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        uint8_t a[PEER_ADDRESS_KEY_SIZE], b[PEER_ADDRESS_KEY_SIZE];

        make_key(cases[i].a, a);
        make_key(cases[i].b, b);
        g_assert_cmpint(memcmp(a, b, sizeof(a)) == 0, ==, cases[i].same);
    }
}

/* Whatever has no address is one, and the table is empty when all are gone. */
static void test_references(void) {
    PeerAddress *a = NULL, *b = NULL;
    void *tree = NULL;
    int fds[2];

    g_assert_cmpint(pipe(fds), ==, 0);
    g_assert_cmpint(peer_address_ref(&tree, fds[0], &a), ==, 0);
    g_assert_cmpint(peer_address_ref(&tree, fds[1], &b), ==, 0);
    g_assert_true(a == b);
    g_assert_cmpuint(a->n_references, ==, 2);
    peer_address_unref(&tree, a);
    g_assert_nonnull(tree);
    peer_address_unref(&tree, b);
    g_assert_null(tree);
    peer_address_unref(&tree, NULL);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/manager/peer-address/key", test_key);
    g_test_add_func("/manager/peer-address/references", test_references);
    return g_test_run();
}
