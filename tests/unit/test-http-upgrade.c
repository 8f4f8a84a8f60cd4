/* SPDX-License-Identifier: Apache-2.0 */
/* Proves both sides of the upgrade: the request has what RFC 6455 asks for, an answer is taken only
 * if it keeps to the RFC, and error texts have no control characters of the peer in them. */
#include <glib.h>

#include "basic/bounds.h"
#include "proto/http-head.h"
#include "proto/http-upgrade.h"

/* RFC 6455, section 1.3 */
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

static void test_key(void) {
    char a[WEBSOCKET_KEY_SIZE], b[WEBSOCKET_KEY_SIZE], accept[WEBSOCKET_ACCEPT_SIZE];

    g_assert_cmpint(websocket_key_generate(a), ==, 0);
    g_assert_cmpint(websocket_key_generate(b), ==, 0);
    g_assert_cmpuint(strlen(a), ==, 24);
    g_assert_cmpstr(a, !=, b);
    g_assert_cmpint(websocket_accept_for_key(KEY, accept), ==, 0);
    g_assert_cmpstr(accept, ==, ACCEPT);
}

static void test_head_size(void) {
    g_autofree char *big = g_strnfill(HTTP_HEAD_MAX + 10, 'x');
    static const char head[] = "HTTP/1.1 101 x\r\nA: b\r\n\r\nframes";

    for (size_t n = 0; n < 24; n++)
        g_assert_cmpint(http_head_size(head, n), ==, -EAGAIN);
    g_assert_cmpint(http_head_size(head, 24), ==, 24);
    g_assert_cmpint(http_head_size(head, sizeof(head) - 1), ==, 24);
    g_assert_cmpint(http_head_size("\n\n\r\n\r", 5), ==, -EAGAIN);

    g_assert_cmpint(http_head_size(big, HTTP_HEAD_MAX - 1), ==, -EAGAIN);
    g_assert_cmpint(http_head_size(big, HTTP_HEAD_MAX), ==, -E2BIG);
    memcpy(big + HTTP_HEAD_MAX - 4, "\r\n\r\n", 4);
    g_assert_cmpint(http_head_size(big, HTTP_HEAD_MAX + 10), ==, HTTP_HEAD_MAX);
    memcpy(big + HTTP_HEAD_MAX - 4, "x\r\n\r\n", 5);
    g_assert_cmpint(http_head_size(big, HTTP_HEAD_MAX + 10), ==, -E2BIG);
}

static void test_request(void) {
    _cleanup_(url_done) Url u = {};
    _cleanup_free_ char *text = NULL;
    const char *error;

    g_assert_cmpint(url_parse("wss://h:2745/agent?x", &u, &error), ==, 0);
    g_assert_cmpint(http_upgrade_request(&u, KEY, "dcm-agent/2", &text), ==, 0);
    g_assert_cmpstr(text, ==,
                    "GET /agent?x HTTP/1.1\r\nHost: h:2745\r\nUpgrade: websocket\r\n"
                    "Connection: Upgrade\r\nSec-WebSocket-Key: " KEY "\r\n"
                    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: dcm\r\n"
                    "Origin: wss://h:2745/agent?x\r\nUser-Agent: dcm-agent/2\r\n\r\n");
}

#define OK "HTTP/1.1 101 Switching Protocols\r\n"
#define U "Upgrade: websocket\r\n"
#define C "Connection: Upgrade\r\n"
#define A "Sec-WebSocket-Accept: " ACCEPT "\r\n"
#define END "\r\n"
#define NO_HTTP "the server does not speak HTTP; check agentmanager_url"
#define NO_UPGRADE "the answer has no 'Upgrade: websocket'; is a proxy between?"
#define NO_CONNECTION "the answer has no 'Connection: Upgrade'; is a proxy between?"
#define NO_ACCEPT "the answer's Sec-WebSocket-Accept is missing or wrong; is this an agent manager?"

static void test_response(void) {
    static const struct {
        const char *head;
        int status;
        const char *error; /* NULL: good */
    } cases[] = {
        {OK U C A END, 101, NULL},
        {OK U C A "Sec-WebSocket-Protocol: dcm" END END, 101, NULL},
        {OK "upgrade:WebSocket\r\nCONNECTION: \t keep-alive , UPGRADE\t\r\n" A END, 101, NULL},
        {OK "Upgrade: h2c\r\nUpgrade: websocket\r\n" C A END, 101, NULL},
        {"HTTP/1.0 101 x\r\n" U C A END, 101, NULL},
        {"HTTP/1.1 101\r\n" U C A END, 101, NULL},
        {OK U C A "Sec-WebSocket-Extensions:\r\n" END, 101, NULL},
        {"HTTP/1.1 404 Not Found\r\n" END, 404,
         "the server answered 404 Not Found; check the path in agentmanager_url"},
        {"HTTP/1.1 503 a\x1b[31mb\tc\xff\r\n" END, 503,
         "the server answered 503 a?[31mb?c?; the manager behind it is down"},
        {"HTTP/1.1 200\r\n" END, 200,
         "the server answered 200; no WebSocket is there; check the path in agentmanager_url"},
        {"HTTP/1.1 302 Found\r\nLocation: https://x.example/\x01\r\n" END, 302,
         "the server answered 302 Found; set agentmanager_url to where it redirects: "
         "https://x.example/?"},
        {"HTTP/1.1 418 Teapot\r\n" END, 418,
         "the server answered 418 Teapot; check agentmanager_url"},
        {"SSH-2.0-OpenSSH_9.2\r\n" END, 0, NO_HTTP},
        {"HTTP/1.1 1x1 y\r\n" END, 0, NO_HTTP},
        {"HTTP/1.1 10\r\n" END, 0, NO_HTTP},
        {"\r\n\r\n", 0, NO_HTTP},
        {"", 0, NO_HTTP},
        {"\x16\x03\x01\x02", 0, NO_HTTP},
        {OK C A END, 101, NO_UPGRADE},
        {OK "Upgrade: websockets\r\n" C A END, 101, NO_UPGRADE},
        {OK U A END, 101, NO_CONNECTION},
        {OK U "Connection: close\r\n" A END, 101, NO_CONNECTION},
        {OK U C END, 101, NO_ACCEPT},
        {OK U C "Sec-WebSocket-Accept: " END END, 101, NO_ACCEPT},
        {OK U C "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=" END END, 101, NO_ACCEPT},
        {OK U C "Sec-WebSocket-Accept: " ACCEPT "x" END END, 101, NO_ACCEPT},
        {OK U C A "Sec-WebSocket-Extensions: permessage-deflate\r\n" END, 101,
         "the server chose an extension that was not offered: permessage-deflate"},
        {OK U C A "Sec-WebSocket-Protocol: chat\r\n" END, 101,
         "the server chose a subprotocol that was not offered: chat"},
        {OK U C A "Sec-WebSocket-Protocol:\r\n" END, 101,
         "the server chose a subprotocol that was not offered: "},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        HttpAnswer response;
        int r = http_upgrade_response_check(cases[i].head, strlen(cases[i].head), KEY, &response);

        g_assert_cmpstr(response.error, ==, strempty(cases[i].error));
        g_assert_cmpint(response.status, ==, cases[i].status);
        g_assert_cmpint(r, ==, cases[i].error ? -EPROTO : 0);
    }
}

static void test_response_long(void) {
    g_autofree char *reason = g_strnfill(5000, 'r');
    g_autofree char *head = g_strdup_printf("HTTP/1.1 500 %s\r\n\r\n", reason);
    HttpAnswer response;

    g_assert_cmpint(http_upgrade_response_check(head, strlen(head), KEY, &response), ==, -EPROTO);
    g_assert_cmpuint(strlen(response.error), ==,
                     strlen("the server answered ; check agentmanager_url") + 80);
}

#define GET "GET /x HTTP/1.1\r\n"
#define V "Sec-WebSocket-Version: 13\r\n"
#define K "Sec-WebSocket-Key: " KEY "\r\n"

static void test_server(void) {
    static const struct {
        const char *head;
        int status; /* 0: good */
        const char *target;
        bool offers;
    } cases[] = {
        {GET U C V K END, 0, "/x", false},
        {GET U C V K "Sec-WebSocket-Protocol: chat, dcm\r\n" END, 0, "/x", true},
        {"GET / HTTP/1.1\r\n" U C V K "Sec-WebSocket-Protocol: dcmx\r\n" END, 0, "/", false},
        {"POST /x HTTP/1.1\r\n" U C V K END, 405},
        {"GET\r\n" U C V K END, 405},
        {"GET /x\r\n" U C V K END, 400},
        {"GET /x \r\n" U C V K END, 400},
        {"GET /x HTTP\r\n" U C V K END, 400},
        {"GET /x HTTP/1.0\r\n" U C V K END, 400},
        {"GET /x HTTP/1.15\r\n" U C V K END, 400},
        {"GET /x y HTTP/1.1\r\n" U C V K END, 400},
        {"", 400},
        {GET C V K END, 426},
        {GET U V K END, 426},
        {GET U C K END, 426},
        {GET U C "Sec-WebSocket-Version: 8\r\n" K END, 426},
        {GET U C V END, 400},
        {GET U C V "Sec-WebSocket-Key: short\r\n" END, 400},
        {GET U C V "Sec-WebSocket-Key: " KEY "=\r\n" END, 400},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        HttpUpgradeRequest request;
        int status = 0, r;

        r = http_upgrade_request_parse(cases[i].head, strlen(cases[i].head), &request, &status);
        if (r != (cases[i].status ? -EPROTO : 0) || (r < 0 && status != cases[i].status))
            g_error("%s: %d, %d", cases[i].head, r, status);
        g_assert_cmpstr(request.target, ==, cases[i].target);
        g_assert_cmpint(request.offers_subprotocol, ==, cases[i].offers);
        free(request.target);
    }
}

/* What the server answers is what the client asks for. */
static void test_both(void) {
    for (int offers = 0; offers < 2; offers++) {
        HttpUpgradeRequest request = {.key = KEY, .offers_subprotocol = offers};
        HttpAnswer response;
        _cleanup_free_ char *head = NULL;

        g_assert_cmpint(http_upgrade_response(&request, &head), ==, 0);
        g_assert_cmpint(http_head_size(head, strlen(head)), ==, strlen(head));
        g_assert_cmpint(http_upgrade_response_check(head, strlen(head), KEY, &response), ==, 0);
        g_assert_cmpint(strstr(head, "Sec-WebSocket-Protocol: dcm\r\n") != NULL, ==, offers);
    }
}

static void test_retry_after(void) {
    static const struct {
        const char *head;
        uint64_t seconds;
    } cases[] = {
        {"HTTP/1.1 503 x\r\nRetry-After: 120\r\n" END, 120},
        {"HTTP/1.1 429 x\r\nretry-after:\t7 \r\n" END, 7},
        {"HTTP/1.1 503 x\r\nRetry-After: 999999999\r\n" END, 3600},
        {"HTTP/1.1 503 x\r\nRetry-After: 9999999999\r\n" END, 0},
        {"HTTP/1.1 503 x\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n" END, 0},
        {"HTTP/1.1 503 x\r\nRetry-After: -1\r\n" END, 0},
        {"HTTP/1.1 503 x\r\nRetry-After:\r\n" END, 0},
        {"HTTP/1.1 503 x\r\n" END, 0},
        {"HTTP/1.1 404 x\r\nRetry-After: 120\r\n" END, 0},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        HttpAnswer response;

        g_assert_cmpint(
            http_upgrade_response_check(cases[i].head, strlen(cases[i].head), KEY, &response), ==,
            -EPROTO);
        g_assert_cmpuint(response.retry_after_usec, ==, cases[i].seconds * USEC_PER_SEC);
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/http-upgrade/key", test_key);
    g_test_add_func("/http-upgrade/head-size", test_head_size);
    g_test_add_func("/http-upgrade/request", test_request);
    g_test_add_func("/http-upgrade/response", test_response);
    g_test_add_func("/http-upgrade/retry-after", test_retry_after);
    g_test_add_func("/http-upgrade/response-long", test_response_long);
    g_test_add_func("/http-upgrade/server", test_server);
    g_test_add_func("/http-upgrade/both", test_both);
    return g_test_run();
}
