/* SPDX-License-Identifier: Apache-2.0 */
/* Proves which addresses a range has, and which texts are no range. */
#include <arpa/inet.h>
#include <glib.h>
#include <netinet/in.h>

#include "dcm-manager/address-range.h"

static struct sockaddr_storage make(const char *text) {
    struct sockaddr_storage a = {.ss_family = AF_INET};

    if (inet_pton(AF_INET, text, &((struct sockaddr_in *)&a)->sin_addr) == 1)
        return a;
    a.ss_family = AF_INET6;
    g_assert_cmpint(inet_pton(AF_INET6, text, &((struct sockaddr_in6 *)&a)->sin6_addr), ==, 1);
    return a;
}

static void test_members(void) {
    static const struct {
        const char *range, *address;
        bool is_in;
    } cases[] = {
        {"192.0.2.0/24", "192.0.2.255", true},
        {"192.0.2.0/24", "192.0.3.0", false},
        {"192.0.2.0/24", "::ffff:192.0.2.9", true},
        {"192.0.2.128/25", "192.0.2.127", false},
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.2", false},
        {"0.0.0.0/0", "203.0.113.9", true},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"::/0", "2001:db8::1", true},
        {"2001:db8::/32", "2001:db8:ffff::1", true},
        {"2001:db8::/32", "2001:db9::1", false},
        {"::1", "::1", true},
        {"::1/128", "::2", false},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct sockaddr_storage address = make(cases[i].address), none = {.ss_family = AF_UNIX};
        AddressRange range = {};

        g_test_message("%s %s", cases[i].range, cases[i].address);
        g_assert_cmpint(address_range_parse(cases[i].range, &range), ==, 0);
        g_assert_cmpint(address_range_has(&range, &address), ==, cases[i].is_in);
        g_assert_false(address_range_has(&range, &none));
    }
}

static void test_mistakes(void) {
    static const char *const texts[] = {
        "",
        "/",
        "x",
        "192.0.2",
        "192.0.2.0/",
        "192.0.2.0/33",
        "::/129",
        "192.0.2.0/x",
        "192.0.2.1/24",
        "2001:db8::1/64",
        "192.0.2.0/ 8",
        "192.0.2.0/-1",
        "host/8",
        "192.0.2.0/8x",
        "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000/8",
    };
    AddressRange range;

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        g_assert_cmpint(address_range_parse(texts[i], &range), ==, -EINVAL);
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/manager-address-range/members", test_members);
    g_test_add_func("/manager-address-range/mistakes", test_mistakes);
    return g_test_run();
}
