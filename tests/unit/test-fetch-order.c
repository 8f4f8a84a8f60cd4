/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that an order is read as it was written, that nothing else is read, and which URLs and
 * certificates can be ordered at all. */
#include <glib.h>

#include "basic/fetch-order.h"

#define PEM "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
#define HEAD "DCM_FETCH=1\nPATIENCE_USEC=30000000\n"
#define URL "https://user:password@host:8443/script?query"

static int parse(const char *text, size_t size) {
    _cleanup_(fetch_order_done) FetchOrder o = {};
    g_autofree char *exact = g_memdup2(text, size + 1);

    exact[size] = 0;
    return fetch_order_parse(exact, size, &o);
}

static void test_round_trip(void) {
    static const char *const certificates[] = {NULL, PEM, PEM PEM, "# comment\r\n" PEM};

    for (size_t i = 0; i < ELEMENTSOF(certificates); i++) {
        _cleanup_(fetch_order_done) FetchOrder o = {};
        g_autofree char *text = NULL;
        const FetchOrder order = {.url = (char *)(uintptr_t)URL,
                                  .patience_usec = i == 0 ? 1 : FETCH_TIME_USEC_MAX,
                                  .certificate = (char *)(uintptr_t)certificates[i]};

        g_assert_cmpint(fetch_order_render(&order, &text), ==, 0);
        g_assert_cmpuint(strlen(text), <=, FETCH_ORDER_MAX);
        g_assert_cmpint(fetch_order_parse(text, strlen(text), &o), ==, 0);
        g_assert_cmpstr(o.url, ==, URL);
        g_assert_cmpuint(o.patience_usec, ==, order.patience_usec);
        g_assert_cmpstr(o.certificate, ==, certificates[i]);
    }
}

static void test_largest(void) {
    _cleanup_(fetch_order_done) FetchOrder o = {};
    g_autofree char *url = g_strnfill(FETCH_URL_MAX, 'x');
    g_autofree char *certificate = g_strnfill(FETCH_CERTIFICATE_MAX, '\n');
    g_autofree char *text = NULL;

    memcpy(url, "http://", strlen("http://"));
    memcpy(certificate, PEM, strlen(PEM));
    o = (FetchOrder){.url = TAKE_PTR(url), .patience_usec = 1, .certificate = certificate};
    g_assert_cmpint(fetch_order_render(&o, &text), ==, 0);
    g_assert_cmpint(parse(text, strlen(text)), ==, 0);
    certificate = NULL; /* fetch_order_done() has it */
}

static void test_parts(void) {
    static const char text[] = HEAD "URL=" URL "\n" PEM;
    size_t whole = strlen(HEAD "URL=" URL "\n");

    for (size_t n = 0; n < strlen(text); n++)
        g_assert_cmpint(parse(text, n), ==, n == whole || n >= strlen(text) - 1 ? 0 : -EBADMSG);
    g_assert_cmpint(parse(HEAD "URL=http://host/\0\n", strlen(HEAD) + 18), ==, -EBADMSG);
}

static void test_bad(void) {
    static const char *const texts[] = {
        "",
        "URL=" URL "\n",
        "DCM_FETCH=2\nPATIENCE_USEC=1\nURL=" URL "\n",
        "DCM_FETCH=1\nPATIENCE_USEC=\nURL=" URL "\n",
        "DCM_FETCH=1\nPATIENCE_USEC=0\nURL=" URL "\n",
        "DCM_FETCH=1\nPATIENCE_USEC=-1\nURL=" URL "\n",
        "DCM_FETCH=1\nPATIENCE_USEC=1 \nURL=" URL "\n",
        "DCM_FETCH=1\nPATIENCE_USEC=1800000001\nURL=" URL "\n",
        "DCM_FETCH=1\nPATIENCE_USEC=18446744073709551617\nURL=" URL "\n",
        HEAD "URL=" URL,
        HEAD "URL=\n",
        HEAD "URL=ftp://host/\n",
        HEAD "URL=http://ho st/\n",
        HEAD "URL=http://host/\r\n",
        HEAD "URL=" URL "\nno certificate",
        HEAD "URL=" URL "\n-----BEGIN CERTIFICATE-----\n",
    };

    for (size_t i = 0; i < ELEMENTSOF(texts); i++)
        g_assert_cmpint(parse(texts[i], strlen(texts[i])), ==, -EBADMSG);
}

static void test_urls(void) {
    static const struct {
        const char *url;
        bool valid, remote;
    } cases[] = {
        {"http://host/", true, true},      {"HTTPS://host", true, true},
        {"file:///etc/x", true, false},    {"File://localhost/etc/x", true, false},
        {"file://host/x", false, false},   {"file:/x", false, false},
        {"ftp://host/x", false, false},    {"httpx://host", false, false},
        {"host/x", false, false},          {"", false, false},
        {" http://host", false, false},    {"http://host/\x7f", false, true},
        {"http://h\xc3\xa9", false, true}, {"http:host", false, false},
    };
    g_autofree char *large = g_strnfill(FETCH_URL_MAX + 1, 'x');

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        g_assert_cmpint(fetch_url_is_valid(cases[i].url), ==, cases[i].valid);
        g_assert_cmpint(fetch_url_is_remote(cases[i].url), ==, cases[i].remote);
    }
    memcpy(large, "http://", strlen("http://"));
    g_assert_false(fetch_url_is_valid(large));
    large[FETCH_URL_MAX] = 0;
    g_assert_true(fetch_url_is_valid(large));
}

static void test_unsendable(void) {
    static const FetchOrder orders[] = {
        {.patience_usec = 1},
        {.url = (char *)(uintptr_t)URL},
        {.url = (char *)(uintptr_t) "x", .patience_usec = 1},
        {.url = (char *)(uintptr_t)URL, .patience_usec = 1, .certificate = (char *)(uintptr_t) "x"},
    };
    char *text = NULL;

    for (size_t i = 0; i < ELEMENTSOF(orders); i++)
        g_assert_cmpint(fetch_order_render(&orders[i], &text), ==, -EINVAL);
    g_assert_null(text);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fetch-order/round-trip", test_round_trip);
    g_test_add_func("/fetch-order/largest", test_largest);
    g_test_add_func("/fetch-order/parts", test_parts);
    g_test_add_func("/fetch-order/bad", test_bad);
    g_test_add_func("/fetch-order/urls", test_urls);
    g_test_add_func("/fetch-order/unsendable", test_unsendable);
    return g_test_run();
}
