/* SPDX-License-Identifier: Apache-2.0 */
/* Proves which texts are names of users and of hosts (docs/protocol, section 7). */
#include <glib.h>

#include "proto/name.h"

static void test_users(void) {
    static const char *const good[] = {"a",     "7",  "c010",
                                       "a-b_c", "A9", "abcdefghijklmnopqrstuvwxyz012345"};
    static const char *const bad[] = {
        "",    "-a",       "a-",  "_a",   "a_",
        "a b", "a.b",      "a\n", "a/b",  "../a",
        "a$",  "\xc3\xa4", "a:b", "a\nb", "abcdefghijklmnopqrstuvwxyz0123456"};

    for (size_t i = 0; i < ELEMENTSOF(good); i++)
        g_assert_true(user_name_is_valid(good[i]));
    for (size_t i = 0; i < ELEMENTSOF(bad); i++)
        g_assert_false(user_name_is_valid(bad[i]));
}

static void test_hosts(void) {
    static const struct {
        const char *text, *name; /* NULL: none */
    } cases[] = {
        {"web1", "web1"},
        {"@pp1#", "pp1"},
        {"a b.example.org", "ab.example.org"},
        {"\xc3\xa4pfel", "pfel"},
        {"a\nb", "ab"},
        {"", NULL},
        {"@#@#$", NULL},
        {".....", NULL},
        {"a..b", NULL},
        {"a.", NULL},
        {"-a", NULL},
        {"a-.b", NULL},
        {"1a", "1a"},
        {"web.1", "web.1"},
        {"0x7fg", "0x7fg"},
        {"beef", "beef"},
        {"localhosts", "localhosts"},
        {"mylocalhost", "mylocalhost"},
        {"localhost.example.org", "localhost.example.org"},
        {"1234", NULL},
        {"10.0.0.1", NULL},
        {"10.0.0.1/24", NULL},
        {"127.1", NULL},
        {"1.2.3.4.5", NULL},
        {"0x7f000001", NULL},
        {"0X7F.1", NULL},
        {"0x", NULL},
        {"::1", NULL},
        {"fe80::1%eth0", NULL},
        {"[2001:db8::a]", NULL},
        {"2001:db8::/64", NULL},
        {"::ffff:192.0.2.1", NULL},
        {"localhost", NULL},
        {"LocalHost", NULL},
        {"@localhost", NULL},
        {"a.localhost", NULL},
        {"localhost.localdomain", NULL},
        {"a.localhost.localdomain", NULL},
        {"localhost6.localdomain6", NULL},
        {"ip6-localhost", NULL},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        g_autofree char *name = NULL;

        g_assert_cmpint(host_name_make(cases[i].text, &name), ==, cases[i].name ? 0 : -EINVAL);
        g_assert_cmpstr(name, ==, cases[i].name);
    }
}

static void test_host_sizes(void) {
    g_autofree char *label = g_strnfill(63, 'a'), *longer = g_strnfill(64, 'a'),
                    *most = g_strdup_printf("%.31s.%.32s", label, label),
                    *more = g_strdup_printf("%.32s.%.32s", label, label),
                    *dropped = g_strnfill(256, '@');
    char *name = NULL;

    g_assert_cmpuint(strlen(most), ==, 64);
    g_assert_cmpint(host_name_make(label, &name), ==, 0);
    g_clear_pointer(&name, free);
    g_assert_cmpint(host_name_make(most, &name), ==, 0);
    g_clear_pointer(&name, free);
    g_assert_cmpint(host_name_make(longer, &name), ==, -EINVAL);
    g_assert_cmpint(host_name_make(more, &name), ==, -EINVAL);
    dropped[0] = 'a';
    g_assert_cmpint(host_name_make(dropped, &name), ==, -EINVAL);
    dropped[255] = 0;
    g_assert_cmpint(host_name_make(dropped, &name), ==, 0);
    g_assert_cmpstr(name, ==, "a");
    g_clear_pointer(&name, free);
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/name/users", test_users);
    g_test_add_func("/name/hosts", test_hosts);
    g_test_add_func("/name/host-sizes", test_host_sizes);
    return g_test_run();
}
