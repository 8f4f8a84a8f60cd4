/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that ws and wss URLs are taken apart rightly, and anything else is refused with a reason,
 * nothing that could break a line of the HTTP request included. */
#include <glib.h>

#include "basic/bounds.h"
#include "proto/url.h"

static void test_good(void) {
    static const struct {
        const char *text;
        bool tls;
        const char *host;
        uint16_t port;
        const char *target, *host_header;
    } cases[] = {
        {"wss://dcm.example.com", true, "dcm.example.com", 443, "/", "dcm.example.com"},
        {"ws://dcm.example.com", false, "dcm.example.com", 80, "/", "dcm.example.com"},
        {"WSS://h/agentManager", true, "h", 443, "/agentManager", "h"},
        {"wss://h:2745/a/b?c=d&e", true, "h", 2745, "/a/b?c=d&e", "h:2745"},
        {"wss://h?x=1", true, "h", 443, "/?x=1", "h"},
        {"wss://h:443/", true, "h", 443, "/", "h"},
        {"ws://h:443/", false, "h", 443, "/", "h:443"},
        {"wss://h:80/", true, "h", 80, "/", "h:80"},
        {"ws://h:00080/", false, "h", 80, "/", "h"},
        {"ws://h:65535", false, "h", 65535, "/", "h:65535"},
        {"wss://192.0.2.1:99/", true, "192.0.2.1", 99, "/", "192.0.2.1:99"},
        {"wss://[2001:db8::1]", true, "2001:db8::1", 443, "/", "[2001:db8::1]"},
        {"wss://[::1]:8443/x", true, "::1", 8443, "/x", "[::1]:8443"},
        {"wss://h/a@b:c", true, "h", 443, "/a@b:c", "h"},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_(url_done) Url u = {};
        _cleanup_free_ char *header = NULL;
        const char *error = "unset";

        g_assert_cmpint(url_parse(cases[i].text, &u, &error), ==, 0);
        g_assert_null(error);
        g_assert_cmpint(u.tls, ==, cases[i].tls);
        g_assert_cmpstr(u.host, ==, cases[i].host);
        g_assert_cmpint(u.port, ==, cases[i].port);
        g_assert_cmpstr(u.target, ==, cases[i].target);
        g_assert_cmpstr(u.origin, ==, cases[i].text);
        g_assert_cmpint(url_host_header(&u, &header), ==, 0);
        g_assert_cmpstr(header, ==, cases[i].host_header);
    }
}

static void test_bad(void) {
    static const char *const cases[] = {
        "",
        "wss:",
        "wss://",
        "wss:///x",
        "wss://?x",
        "https://h/",
        "h",
        "//h",
        "wss:/h",
        " wss://h",
        "wss://h ",
        "wss://h/a b",
        "wss://h/\tx",
        "wss://h/\r\nX: y",
        "wss://h\n",
        "wss://h/\x7f",
        "wss://h\xc3\xa4/",
        "wss://user@h/",
        "wss://user:password@h/",
        "wss://h:/",
        "wss://h:0/",
        "wss://h:65536/",
        "wss://h:99999999999/",
        "wss://h:-1/",
        "wss://h:+1/",
        "wss://h:8x/",
        "wss://:443/",
        "wss://[::1/",
        "wss://[]/",
        "wss://[::1]x/",
        "wss://[::1]:/",
        "wss://2001:db8::1/",
        "wss://h/#fragment",
        "wss://h#",
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        Url u = {};
        const char *error = NULL;

        if (url_parse(cases[i], &u, &error) != -EINVAL || !error || u.host)
            g_error("accepted, or no reason: %s", cases[i]);
        if (strstr(error, "password") && !strchr(cases[i], '@'))
            g_error("%s: %s", cases[i], error);
    }
}

static void test_size(void) {
    g_autoptr(GString) text = g_string_new("wss://h/");
    _cleanup_(url_done) Url u = {};
    Url longer = {};
    const char *error;

    while (text->len < URL_SIZE_MAX)
        g_string_append_c(text, 'x');
    g_assert_cmpint(url_parse(text->str, &u, &error), ==, 0);
    g_string_append_c(text, 'x');
    g_assert_cmpint(url_parse(text->str, &longer, &error), ==, -EINVAL);
    g_assert_cmpstr(error, ==, "it is too long");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/url/good", test_good);
    g_test_add_func("/url/bad", test_bad);
    g_test_add_func("/url/size", test_size);
    return g_test_run();
}
