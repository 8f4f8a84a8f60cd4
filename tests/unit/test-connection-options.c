/* SPDX-License-Identifier: Apache-2.0 */
/* Proves which proxy is in effect, that a value which cannot be used keeps the agent from
 * connecting where to ignore it would mean less security, that no text has a password, and that a
 * change of a setting or of a file's content is noticed. */
#include <glib.h>
#include <glib/gstdio.h>

#include "core/connection-options.h"

#define FILE_NAME "/etc/test.conf"
#define DIRECTORY "/etc/test.conf.d"
#define PIN "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define WSS "agentmanager_url = wss://manager.example/\n"

static const char *const *environment;

static const char *get(const char *name) {
    for (const char *const *e = environment; e && *e; e += 2)
        if (streq(e[0], name))
            return e[1];
    return NULL;
}

static void on_problem(const char *file, unsigned line, const char *text, void *userdata) {
    g_error("%s", text);
}

static void parse(Config *c, const char *text) {
    g_autofree char *whole = g_strdup_printf("[connection]\n%s", text);

    g_assert_cmpint(config_init(c), ==, 0);
    g_assert_cmpint(config_parse(c, FILE_NAME, whole, on_problem, NULL), ==, 0);
}

static void test_proxy(void) {
    static const struct {
        const char *text;
        const char *environment[5];
        const char *shown;
    } cases[] = {
        {WSS, {NULL}, NULL},
        {WSS, {"HTTPS_PROXY", "http://e:1"}, "http://e:1 (from HTTPS_PROXY in the environment)"},
        {WSS "proxy = http://c:2\n", {"HTTPS_PROXY", "http://e:1"}, "http://c:2"},
        {WSS "proxy = none\n", {"HTTPS_PROXY", "http://e:1"}, NULL},
        {WSS, {"HTTPS_PROXY", "http://e:1", "NO_PROXY", "example"}, NULL},
        {WSS, {"HTTPS_PROXY", "http://e:1", "no_proxy", "example"}, NULL},
        {WSS "no_proxy = x\n",
         {"HTTPS_PROXY", "http://e:1", "NO_PROXY", "example"},
         "http://e:1 (from HTTPS_PROXY in the environment)"},
        {WSS "proxy = c:2\nno_proxy = .example\n", {NULL}, NULL},
        {"agentmanager_url = ws://192.0.2.1/\nproxy = c:2\nno_proxy = 192.0.2.0/24\n",
         {NULL},
         NULL},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_(connection_options_done) ConnectionOptions o = {};
        _cleanup_(config_done) Config c = {};
        char error[OPTIONS_ERROR_SIZE];

        parse(&c, cases[i].text);
        environment = cases[i].environment;
        g_assert_cmpint(connection_options_make(&c, DIRECTORY, get, &o, error), ==, 0);
        g_assert_cmpstr(proxy_show(&o.proxy), ==, cases[i].shown);
        g_assert_false(strstr(strempty(o.proxy.label), "environment"));
        g_assert_cmpstr(o.url.host, ==,
                        i + 1 < ELEMENTSOF(cases) ? "manager.example" : "192.0.2.1");
    }
}

static void test_refused(void) {
    static const struct {
        const char *text;
        const char *environment[3];
        int error;
        const char *said;
    } cases[] = {
        {"",
         {NULL},
         -ENODATA,
         "Not configured: set agentmanager_url in section [connection] of " DIRECTORY
         "/site.conf, then reload"},
        {"agentmanager_url = http://x\n",
         {NULL},
         -EINVAL,
         "agentmanager_url in " FILE_NAME ":2 is not usable: it must begin with wss:// or ws://"},
        {WSS "pin = " PIN " abc\n",
         {NULL},
         -EINVAL,
         "pin in " FILE_NAME ":3 is not base64 of a SHA-256"},
        {WSS "pin = AAAA\n", {NULL}, -EINVAL, "pin in " FILE_NAME ":3 is not base64 of a SHA-256"},
        {WSS "client_key = /k\n",
         {NULL},
         -EINVAL,
         "client_key in " FILE_NAME ":3 needs client_cert, which is not set"},
        {WSS "proxy = ftp://u:canary@x\n",
         {NULL},
         -EINVAL,
         "proxy in " FILE_NAME ":3 is not usable: it must begin with http:// or https://"},
        {WSS,
         {"HTTPS_PROXY", "http://u:canary@x:y"},
         -EINVAL,
         "HTTPS_PROXY in the environment is not usable: the port must be a number from 1 to 65535"},
        {WSS "proxy = x\nproxy_auth = /nonexistent/auth\n",
         {NULL},
         -EINVAL,
         "proxy_auth /nonexistent/auth cannot be read: No such file or directory"},
        {WSS "proxy = x\nproxy_auth = credential:auth\n",
         {NULL},
         -EINVAL,
         "proxy_auth credential:auth cannot be read: No such file or directory"},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_(connection_options_done) ConnectionOptions o = {};
        _cleanup_(config_done) Config c = {};
        char error[OPTIONS_ERROR_SIZE] = "";

        parse(&c, cases[i].text);
        environment = cases[i].environment;
        g_assert_cmpint(connection_options_make(&c, DIRECTORY, get, &o, error), ==, cases[i].error);
        g_assert_cmpstr(error, ==, cases[i].said);
        g_assert_null(strstr(error, "canary"));
        g_assert_null(o.url.host);
    }
}

static void test_pins(void) {
    _cleanup_(connection_options_done) ConnectionOptions o = {};
    _cleanup_(config_done) Config c = {};
    char error[OPTIONS_ERROR_SIZE];

    parse(&c, WSS "pin = " PIN ", " PIN "\n");
    environment = NULL;
    g_assert_cmpint(connection_options_make(&c, DIRECTORY, get, &o, error), ==, 0);
    g_assert_cmpuint(o.tls.n_pins, ==, 2);
    for (unsigned i = 0; i < PINS_MAX - 2; i++)
        g_assert_cmpint(tls_options_add_pins(&o.tls, PIN), ==, 0);
    g_assert_cmpint(tls_options_add_pins(&o.tls, PIN), ==, -E2BIG);
    g_assert_cmpint(tls_options_add_pins(&o.tls, " , "), ==, -EINVAL);
}

static void fingerprint(const char *text, char ret[static SHA256_HEX_SIZE]) {
    _cleanup_(config_done) Config c = {};

    parse(&c, text);
    connection_fingerprint(&c, ret);
}

static void test_fingerprint(void) {
    static const char *const texts[] = {
        WSS,
        WSS "proxy = x\n",
        WSS "no_proxy = x\n",
        WSS "ca_cert = /nonexistent\n",
        WSS "client_cert = /nonexistent\n",
        WSS "allow_unknown_certs = true\n",
        WSS "heartbeat_frequency = 31\n",
    };
    char before[SHA256_HEX_SIZE], after[SHA256_HEX_SIZE];

    for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
        fingerprint(texts[i], before);
        fingerprint(texts[i], after);
        g_assert_cmpstr(before, ==, after);
        for (size_t k = 0; k < i; k++) {
            fingerprint(texts[k], after);
            g_assert_cmpstr(before, !=, after);
        }
    }
    fingerprint(WSS "[workers]\ncount = 7\n", after);
    fingerprint(WSS, before);
    g_assert_cmpstr(before, ==, after);
}

static void test_file_content(void) {
    g_autofree char *path = NULL, *text = NULL;
    char before[SHA256_HEX_SIZE], after[SHA256_HEX_SIZE];
    int fd = g_file_open_tmp("dcm-test-XXXXXX", &path, NULL);

    g_assert_cmpint(fd, >=, 0);
    text = g_strdup_printf(WSS "ca_cert = %s\n", path);
    fingerprint(text, before);
    g_assert_true(g_file_set_contents(path, "x", 1, NULL));
    fingerprint(text, after);
    g_assert_cmpstr(before, !=, after);
    g_assert_cmpint(g_unlink(path), ==, 0);
    g_close(fd, NULL);
}

static void test_credentials(void) {
    _cleanup_(config_done) Config c = {};

    g_setenv("CREDENTIALS_DIRECTORY", "/run/credentials/x", true);
    parse(&c, WSS "client_cert = credential:cert\nclient_key = pkcs11:token=a;object=b\n"
                  "ca_cert = ca.pem\n");
    g_unsetenv("CREDENTIALS_DIRECTORY");
    g_assert_cmpstr(c.client_cert, ==, "/run/credentials/x/cert");
    g_assert_cmpstr(c.client_key, ==, "pkcs11:token=a;object=b");
    g_assert_cmpstr(c.ca_cert, ==, "/etc/ca.pem");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/connection-options/proxy", test_proxy);
    g_test_add_func("/connection-options/refused", test_refused);
    g_test_add_func("/connection-options/pins", test_pins);
    g_test_add_func("/connection-options/fingerprint", test_fingerprint);
    g_test_add_func("/connection-options/file-content", test_file_content);
    g_test_add_func("/connection-options/credentials", test_credentials);
    return g_test_run();
}
