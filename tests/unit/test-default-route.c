/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that the default route is found in what the kernel writes, and nothing else is taken for
 * it. */
#include <arpa/inet.h>
#include <glib.h>

#include "system/default-route.h"

#define HEAD "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"

static DefaultRoute parse(const char *text, void (*parser)(FILE *, DefaultRoute *)) {
    g_autofree char *copy = g_strdup(text);
    FILE *f = fmemopen(copy, strlen(copy) + 1, "r");
    DefaultRoute route = {};

    g_assert_nonnull(f);
    parser(f, &route);
    (void)fclose(f);
    return route;
}

static char *row(const char *interface, const char *destination, const char *gateway,
                 unsigned flags, unsigned metric, const char *mask) {
    struct in_addr d, g, m;

    g_assert_true(inet_aton(destination, &d) && inet_aton(gateway, &g) && inet_aton(mask, &m));
    return g_strdup_printf("%s\t%08X\t%08X\t%04X\t0\t0\t%u\t%08X\t0\t0\t0\n", interface, d.s_addr,
                           g.s_addr, flags, metric, m.s_addr);
}

static void test_ipv4(void) {
    g_autofree char *near = row("eth1", "192.0.2.0", "0.0.0.0", 1, 0, "255.255.255.0"),
                    *half = row("tun0", "0.0.0.0", "10.8.0.1", 3, 0, "128.0.0.0"),
                    *wifi = row("wlan0", "0.0.0.0", "192.168.1.1", 3, 600, "0.0.0.0"),
                    *wire = row("eth0", "0.0.0.0", "192.0.2.1", 3, 100, "0.0.0.0"),
                    *dead = row("*", "0.0.0.0", "0.0.0.0", 0x201, 0, "0.0.0.0"),
                    *down = row("eth2", "0.0.0.0", "192.0.2.9", 2, 0, "0.0.0.0"),
                    *all = g_strconcat(HEAD, dead, down, wifi, wire, half, near, NULL),
                    *none = g_strconcat(HEAD, near, half, NULL);
    DefaultRoute route = parse(all, default_route_parse_ipv4);

    g_assert_cmpstr(route.interface, ==, "eth0");
    g_assert_cmpstr(inet_ntoa(route.gateway), ==, "192.0.2.1");
    g_assert_cmpstr(parse(none, default_route_parse_ipv4).interface, ==, "");
}

#define ZEROS "00000000000000000000000000000000"

static void test_ipv6(void) {
    static const char text[] =
        "20010db8000000000000000000000000 40 " ZEROS " 00 " ZEROS
        " 00000100 00000001 00000000 00000001     eth0\n" ZEROS " 00 " ZEROS " 00 " ZEROS
        " ffffffff 00000001 00000000 00200200       lo\n" ZEROS " 00 " ZEROS
        " 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     wlan0\n" ZEROS
        " 00 " ZEROS
        " 00 fe800000000000000000000000000002 00000040 00000001 00000000 00000003     eth0\n";
    DefaultRoute route = parse(text, default_route_parse_ipv6);

    g_assert_cmpstr(route.interface, ==, "eth0");
    g_assert_cmpuint(route.metric, ==, 0x40);
}

static void test_other_texts(void) {
    static const char *const texts[] = {"\n", HEAD, "eth0\t00000000\n", "eth0 x y z\n",
                                        ZEROS " 00\n"};

    for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
        g_assert_cmpstr(parse(texts[i], default_route_parse_ipv4).interface, ==, "");
        g_assert_cmpstr(parse(texts[i], default_route_parse_ipv6).interface, ==, "");
    }
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/default-route/ipv4", test_ipv4);
    g_test_add_func("/default-route/ipv6", test_ipv6);
    g_test_add_func("/default-route/other-texts", test_other_texts);
    return g_test_run();
}
