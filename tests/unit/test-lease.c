/* SPDX-License-Identifier: Apache-2.0 */
#include <glib.h>

#include "dcm-cloud/lease.h"

static void test_networkd(void) {
    char a[INET_ADDRSTRLEN] = "";

    g_assert_cmpint(lease_parse_networkd("# This is private data. Do not parse.\n"
                                         "ADDRESS=192.0.2.7\nNETMASK=255.255.255.0\n"
                                         "SERVER_ADDRESS=192.0.2.1\nT1=1800\n",
                                         a),
                    ==, 0);
    g_assert_cmpstr(a, ==, "192.0.2.1");
    g_assert_cmpint(lease_parse_networkd("SERVER_ADDRESS=192.0.2.2", a), ==, 0);
    g_assert_cmpstr(a, ==, "192.0.2.2");
    g_assert_cmpint(lease_parse_networkd("ADDRESS=192.0.2.7\n", a), ==, -ENODATA);
    g_assert_cmpint(lease_parse_networkd("NEXT_SERVER_ADDRESS=192.0.2.7\n", a), ==, -ENODATA);
}

static void test_dhclient(void) {
    char a[INET_ADDRSTRLEN] = "";

    /* the last one is in force */
    g_assert_cmpint(lease_parse_dhclient("lease {\n  interface \"eth0\";\n"
                                         "  option dhcp-server-identifier 192.0.2.1;\n}\n"
                                         "lease {\n  fixed-address 192.0.2.7;\n"
                                         "  option dhcp-server-identifier 198.51.100.1;\n}\n",
                                         a),
                    ==, 0);
    g_assert_cmpstr(a, ==, "198.51.100.1");
    g_assert_cmpint(lease_parse_dhclient("option dhcp-server-identifier  192.0.2.1 ;\r\n", a), ==,
                    0);
    g_assert_cmpstr(a, ==, "192.0.2.1");
    g_assert_cmpint(lease_parse_dhclient("lease {\n  fixed-address 192.0.2.7;\n}\n", a), ==,
                    -ENODATA);
}

static void test_no_address(void) {
    static const char *const values[] = {
        "",
        "x",
        "0.0.0.0",
        "192.0.2",
        "192.0.2.1.5",
        "192.0.2.1/24",
        "::1",
        "192.0.2.1 @evil",
        "192.0.2.256",
        "1234567890123456789012345",
    };
    char a[INET_ADDRSTRLEN] = "untouched";

    for (size_t i = 0; i < G_N_ELEMENTS(values); i++) {
        g_autofree char *networkd = g_strdup_printf("SERVER_ADDRESS=%s\n", values[i]);
        g_autofree char *dhclient = g_strdup_printf("option dhcp-server-identifier %s", values[i]);

        g_assert_cmpint(lease_parse_networkd(networkd, a), ==, -ENODATA);
        if (strchr(values[i], ' ')) /* what is behind a blank is not of the address */
            continue;
        g_assert_cmpint(lease_parse_dhclient(dhclient, a), ==, -ENODATA);
    }
    g_assert_cmpstr(a, ==, "untouched");
    g_assert_cmpint(lease_parse_networkd("", a), ==, -ENODATA);
    g_assert_cmpint(lease_parse_dhclient("\n\n  \n", a), ==, -ENODATA);
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/lease/networkd", test_networkd);
    g_test_add_func("/lease/dhclient", test_dhclient);
    g_test_add_func("/lease/no-address", test_no_address);
    return g_test_run();
}
