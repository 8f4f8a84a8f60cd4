/* SPDX-License-Identifier: Apache-2.0 */
/* Proves which proxies are taken and for whom not, that the CONNECT request is what RFC 9110 and
 * RFC 7617 say, that a refusal says what to do, and that no text has the password. */
#include <glib.h>

#include "proto/proxy.h"

static void test_parse(void) {
    static const struct {
        const char *text;
        bool tls;
        const char *host;
        uint16_t port;
        const char *authorization, *label;
    } cases[] = {
        {"http://proxy:3128", false, "proxy", 3128, NULL, "http://proxy:3128"},
        {"HTTP://proxy", false, "proxy", 80, NULL, "http://proxy:80"},
        {"https://proxy/", true, "proxy", 443, NULL, "https://proxy:443"},
        {"https://[2001:db8::1]:8443", true, "2001:db8::1", 8443, NULL,
         "https://[2001:db8::1]:8443"},
        {"proxy.example:8080", false, "proxy.example", 8080, NULL, "http://proxy.example:8080"},
        {"http-proxy:1", false, "http-proxy", 1, NULL, "http://http-proxy:1"},
        {"http://u:p@proxy:1", false, "proxy", 1, "dTpw", "http://proxy:1"},
        {"http://u:p%40x@proxy:1", false, "proxy", 1, "dTpwQHg=", "http://proxy:1"},
        {"http://u:p@x@proxy:1", false, "proxy", 1, "dTpwQHg=", "http://proxy:1"},
        {"u:@proxy:1", false, "proxy", 1, "dTo=", "http://proxy:1"},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_(proxy_done) Proxy p = {};
        const char *error = NULL;

        g_assert_cmpint(proxy_parse(cases[i].text, &p, &error), ==, 0);
        g_assert_null(error);
        g_assert_cmpint(p.tls, ==, cases[i].tls);
        g_assert_cmpstr(p.host, ==, cases[i].host);
        g_assert_cmpuint(p.port, ==, cases[i].port);
        g_assert_cmpstr(p.authorization, ==, cases[i].authorization);
        g_assert_cmpstr(p.label, ==, cases[i].label);
    }
}

static void test_bad(void) {
    static const char *const texts[] = {
        "",
        "http://",
        "http://:1",
        "socks5://proxy:1080",
        "http:proxy",
        "http://proxy:0",
        "http://proxy:65536",
        "http://proxy/path",
        "http://proxy?x",
        "http://prö",
        "http://pro xy",
        "http://user@proxy", /* no password, not even an empty one */
        "http://u:p%0ax@proxy",
        "http://[::1",
    };

    for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
        Proxy p = {};
        const char *error = NULL;

        g_assert_cmpint(proxy_parse(texts[i], &p, &error), ==, -EINVAL);
        g_assert_nonnull(error);
        g_assert_null(p.host);
    }
}

static void test_auth(void) {
    _cleanup_(proxy_done) Proxy p = {};
    const char *error = NULL;

    g_assert_cmpint(proxy_set_auth(&p, "Aladdin:open sesame\r\n", &error), ==, 0);
    g_assert_cmpstr(p.authorization, ==, "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="); /* RFC 7617 */
    g_assert_cmpint(proxy_set_auth(&p, "a:b\nc:d", &error), ==, -EINVAL);
    g_assert_cmpint(proxy_set_auth(&p, "", &error), ==, -EINVAL);
    g_assert_cmpstr(p.authorization, ==, "QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
}

static void test_excluded(void) {
    static const struct {
        const char *list, *host;
        uint16_t port;
        bool excluded;
    } cases[] = {
        {NULL, "a", 443, false},
        {"", "a", 443, false},
        {" , ", "a", 443, false},
        {"*", "a", 443, true},
        {"a.example", "a.example", 443, true},
        {"A.Example", "a.eXample", 443, true},
        {"example", "a.example", 443, true},
        {".example", "a.example", 443, true},
        {".example", "example", 443, true},
        {"*.example", "b.a.example", 443, true},
        {"ample", "example", 443, false},
        {"a.example", "example", 443, false},
        {"x, y example", "a.example", 443, true},
        {"example:443", "example", 443, true},
        {"example:444", "example", 443, false},
        {"192.0.2.1", "192.0.2.1", 443, true},
        {"192.0.2.1:1", "192.0.2.1", 443, false},
        {"192.0.2.1", "192.0.2.10", 443, false},
        {"2.1", "192.0.2.1", 443, false}, /* an address is no name */
        {"192.0.2.0/24", "192.0.2.255", 443, true},
        {"192.0.2.0/24", "192.0.3.0", 443, false},
        {"192.0.2.128/25", "192.0.2.127", 443, false},
        {"192.0.2.128/25", "192.0.2.128", 443, true},
        {"0.0.0.0/0", "203.0.113.1", 443, true},
        {"0.0.0.0/0", "2001:db8::1", 443, false},
        {"0.0.0.0/0", "name.example", 443, false},
        {"192.0.2.0/33", "192.0.2.1", 443, false},
        {"192.0.2.0/", "192.0.2.1", 443, false},
        {"192.0.2.0/x", "192.0.2.1", 443, false},
        {"2001:db8::/32", "2001:db8:ffff::1", 443, true},
        {"2001:db8::/32", "2001:db9::1", 443, false},
        {"2001:db8::1/128", "2001:db8::1", 443, true},
        {"::/0", "2001:db8::1", 443, true},
        {"2001:db8::1", "2001:DB8:0::1", 443, true},
        {"[2001:db8::1]:443", "2001:db8::1", 443, true},
        {"[2001:db8::1]:80", "2001:db8::1", 443, false},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++)
        if (proxy_is_excluded(cases[i].list, cases[i].host, cases[i].port) != cases[i].excluded)
            g_error("'%s' and %s", strempty(cases[i].list), cases[i].host);
}

static const char *const *environment;

static const char *get(const char *name) {
    for (const char *const *e = environment; *e; e += 2)
        if (streq(e[0], name))
            return e[1];
    return NULL;
}

static void test_environment(void) {
    static const struct {
        const char *environment[9];
        bool tls;
        const char *name;
    } cases[] = {
        {{NULL}, true, NULL},
        {{"HTTPS_PROXY", "a", "https_proxy", "b"}, true, "HTTPS_PROXY"},
        {{"HTTPS_PROXY", "", "https_proxy", "b"}, true, "https_proxy"},
        {{"http_proxy", "a"}, true, NULL},
        {{"http_proxy", "a", "HTTPS_PROXY", "b"}, false, "http_proxy"},
        {{"ALL_PROXY", "a", "all_proxy", "b"}, false, "ALL_PROXY"},
        {{"ALL_PROXY", "a", "https_proxy", "b"}, true, "https_proxy"},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        const char *name = NULL;

        environment = cases[i].environment;
        g_assert_cmpint(proxy_from_environment(cases[i].tls, get, &name) != NULL, ==,
                        cases[i].name != NULL);
        g_assert_cmpstr(name, ==, cases[i].name);
    }
}

static void test_request(void) {
    _cleanup_(proxy_done) Proxy p = {};
    _cleanup_(url_done) Url url = {};
    _cleanup_free_ char *plain = NULL, *with_auth = NULL;
    const char *error = NULL;

    g_assert_cmpint(url_parse("wss://[2001:db8::1]/x", &url, &error), ==, 0);
    g_assert_cmpint(proxy_parse("http://proxy:1", &p, &error), ==, 0);
    g_assert_cmpint(proxy_connect_request(&p, &url, "agent/1", &plain), ==, 0);
    g_assert_cmpstr(plain, ==,
                    "CONNECT [2001:db8::1]:443 HTTP/1.1\r\n"
                    "Host: [2001:db8::1]:443\r\n"
                    "User-Agent: agent/1\r\n\r\n");
    g_assert_cmpint(proxy_set_auth(&p, "u:p", &error), ==, 0);
    g_assert_cmpint(proxy_connect_request(&p, &url, "agent/1", &with_auth), ==, 0);
    g_assert_nonnull(strstr(with_auth, "\r\nProxy-Authorization: Basic dTpw\r\n"));
}

static void test_answer(void) {
    static const struct {
        const char *head;
        int status;
        const char *error; /* NULL: good */
    } cases[] = {
        {"HTTP/1.1 200 Connection established\r\n\r\n", 200, NULL},
        {"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 200, NULL},
        {"HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=\"y\"\r\n\r\n", 407,
         "it answered 407 x; set or correct proxy_auth"},
        {"HTTP/1.1 407 x\r\nProxy-Authenticate: Negotiate, basic realm=y\r\n\r\n", 407,
         "it answered 407 x; set or correct proxy_auth"},
        {"HTTP/1.1 407 x\r\nProxy-Authenticate: NTLM\r\nProxy-Authenticate: Negotiate\r\n\r\n", 407,
         "it answered 407 x; only Basic authentication is supported here"},
        {"HTTP/1.1 407 x\r\nX-Hint: basic\r\n\r\n", 407,
         "it answered 407 x; only Basic authentication is supported here"},
        {"HTTP/1.1 403 Forbidden\r\n\r\n", 403,
         "it answered 403 Forbidden; have it allow the manager's name and port"},
        {"HTTP/1.1 502 Bad\x1bGateway\r\n\r\n", 502,
         "it answered 502 Bad?Gateway; it cannot reach the manager"},
        {"HTTP/1.1 101 x\r\n\r\n", 101, "it answered 101 x; check proxy"},
        {"\x15\x03\x01\r\n\r\n", 0,
         "it does not speak HTTP; check proxy, and whether it is https://"},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        HttpAnswer answer;
        int r = proxy_connect_answer_check(cases[i].head, strlen(cases[i].head), &answer);

        g_assert_cmpstr(answer.error, ==, strempty(cases[i].error));
        g_assert_cmpint(answer.status, ==, cases[i].status);
        g_assert_cmpint(r, ==, cases[i].error ? -EPROTO : 0);
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/proxy/parse", test_parse);
    g_test_add_func("/proxy/bad", test_bad);
    g_test_add_func("/proxy/auth", test_auth);
    g_test_add_func("/proxy/excluded", test_excluded);
    g_test_add_func("/proxy/environment", test_environment);
    g_test_add_func("/proxy/request", test_request);
    g_test_add_func("/proxy/answer", test_answer);
    return g_test_run();
}
