/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http-upgrade.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <sys/random.h>

#include "basic/utf8.h"
#include "proto/http-head.h"

#define WEBSOCKET_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" /* RFC 6455, section 1.3 */

static int base64(const void *data, size_t size, char *ret, size_t ret_size) {
    gnutls_datum_t in = {(unsigned char *)data, (unsigned)size}, out = {};
    int r = 0;

    if (gnutls_base64_encode2(&in, &out) < 0)
        return -ENOMEM;
    if (out.size >= ret_size)
        r = -ENOBUFS;
    else {
        memcpy(ret, out.data, out.size);
        ret[out.size] = 0;
    }
    gnutls_free(out.data);
    return r;
}

int websocket_key_generate(char ret[static WEBSOCKET_KEY_SIZE]) {
    uint8_t nonce[16];

    if (getrandom(nonce, sizeof(nonce), 0) != sizeof(nonce))
        return -EIO;
    return base64(nonce, sizeof(nonce), ret, WEBSOCKET_KEY_SIZE);
}

int websocket_accept_for_key(const char *key, char ret[static WEBSOCKET_ACCEPT_SIZE]) {
    char text[WEBSOCKET_KEY_SIZE + sizeof(WEBSOCKET_GUID)];
    uint8_t digest[20];

    (void)utf8_format(text, sizeof(text), "%s%s", key, WEBSOCKET_GUID);
    if (gnutls_hash_fast(GNUTLS_DIG_SHA1, text, strlen(text), digest) < 0)
        return -EOPNOTSUPP;
    return base64(digest, sizeof(digest), ret, WEBSOCKET_ACCEPT_SIZE);
}

int http_upgrade_request(const Url *url, const char *key, const char *user_agent, char **ret) {
    _cleanup_free_ char *host = NULL;
    int r;

    TRY(url_host_header(url, &host));
    r = asprintf(ret,
                 "GET %s HTTP/1.1\r\n"
                 "Host: %s\r\n"
                 "Upgrade: websocket\r\n"
                 "Connection: Upgrade\r\n"
                 "Sec-WebSocket-Key: %s\r\n"
                 "Sec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Protocol: " WEBSOCKET_SUBPROTOCOL "\r\n"
                 "Origin: %s\r\n"
                 "User-Agent: %s\r\n"
                 "\r\n",
                 url->target, host, key, url->origin, user_agent);
    return r < 0 ? -ENOMEM : 0;
}

static int fail(HttpAnswer *ret, const char *text, HttpSlice quoted) {
    char quote[HTTP_QUOTED_MAX + 1];

    http_quote(quoted, quote, sizeof(quote));
    (void)utf8_format(ret->error, sizeof(ret->error), "%s%s", text, quote);
    return -EPROTO;
}

static int refused(HttpAnswer *ret, HttpSlice head, HttpSlice answer) {
    static const struct {
        int first, last;
        const char *remedy;
    } remedies[] = {
        {200, 299, "no WebSocket is there; check the path in agentmanager_url"},
        {300, 399, "set agentmanager_url to where it redirects: "},
        {401, 403, "ask who runs the manager to let this server in"},
        {404, 404, "check the path in agentmanager_url"},
        {407, 407, "a proxy wants authentication; set proxy and proxy_auth"},
        {429, 429, "it has too much to do"},
        {502, 504, "the manager behind it is down"},
    };
    char quote[HTTP_QUOTED_MAX + 1], location[HTTP_QUOTED_MAX + 1] = "";
    const char *remedy = "check agentmanager_url";
    HttpSlice value;

    for (size_t i = 0; i < ELEMENTSOF(remedies); i++)
        if (ret->status >= remedies[i].first && ret->status <= remedies[i].last)
            remedy = remedies[i].remedy;
    if (ret->status / 100 == 3 && http_find_field(head, "Location", NULL, &value))
        http_quote(value, location, sizeof(location));
    if (ret->status == 429 || ret->status == 503)
        ret->retry_after_usec = http_retry_after_usec(head);
    http_quote(answer, quote, sizeof(quote));
    (void)utf8_format(ret->error, sizeof(ret->error), "the server answered %s; %s%s", quote, remedy,
                      location);
    return -EPROTO;
}

int http_upgrade_response_check(const char *data, size_t size, const char *key, HttpAnswer *ret) {
    char expected[WEBSOCKET_ACCEPT_SIZE];
    HttpSlice head = {data, size}, value = {};

    *ret = (HttpAnswer){};
    TRY(websocket_accept_for_key(key, expected));
    if (http_parse_status_line(head, &ret->status, &value) < 0)
        return fail(ret, "the server does not speak HTTP; check agentmanager_url", (HttpSlice){});
    if (ret->status != 101)
        return refused(ret, head, (HttpSlice){value.data + 9, value.size - 9});
    if (!http_find_field(head, "Upgrade", "websocket", NULL))
        return fail(ret, "the answer has no 'Upgrade: websocket'; is a proxy between?",
                    (HttpSlice){});
    if (!http_find_field(head, "Connection", "upgrade", NULL))
        return fail(ret, "the answer has no 'Connection: Upgrade'; is a proxy between?",
                    (HttpSlice){});
    if (!http_find_field(head, "Sec-WebSocket-Accept", NULL, &value) ||
        value.size != strlen(expected) || memcmp(value.data, expected, value.size) != 0)
        return fail(
            ret, "the answer's Sec-WebSocket-Accept is missing or wrong; is this an agent manager?",
            (HttpSlice){});
    if (http_find_field(head, "Sec-WebSocket-Extensions", NULL, &value) && value.size > 0)
        return fail(ret, "the server chose an extension that was not offered: ", value);
    if (http_find_field(head, "Sec-WebSocket-Protocol", NULL, &value) &&
        !http_slice_equals(value, WEBSOCKET_SUBPROTOCOL))
        return fail(ret, "the server chose a subprotocol that was not offered: ", value);
    return 0;
}

int http_upgrade_request_parse(const char *data, size_t size, HttpUpgradeRequest *ret,
                               int *ret_status) {
    static const char version[] = " HTTP/1.1";
    HttpSlice head = {data, size}, rest = head, line, value = {};
    const char *end;

    *ret = (HttpUpgradeRequest){};
    *ret_status = 400;
    if (!http_next_line(&rest, &line))
        return -EPROTO;
    if (line.size < 4 || strncmp(line.data, "GET ", 4) != 0) {
        *ret_status = 405;
        return -EPROTO;
    }
    end = memchr(line.data + 4, ' ', line.size - 4);
    if (!end || line.size - (size_t)(end - line.data) != strlen(version) ||
        memcmp(end, version, strlen(version)) != 0)
        return -EPROTO;
    if (!http_find_field(head, "Upgrade", "websocket", NULL) ||
        !http_find_field(head, "Connection", "upgrade", NULL) ||
        !http_find_field(head, "Sec-WebSocket-Version", "13", NULL)) {
        *ret_status = 426;
        return -EPROTO;
    }
    if (!http_find_field(head, "Sec-WebSocket-Key", NULL, &value) ||
        value.size != WEBSOCKET_KEY_SIZE - 1)
        return -EPROTO;
    memcpy(ret->key, value.data, value.size);
    ret->offers_subprotocol =
        http_find_field(head, "Sec-WebSocket-Protocol", WEBSOCKET_SUBPROTOCOL, NULL);
    ret->target = strndup(line.data + 4, (size_t)(end - line.data) - 4);
    return ret->target ? 0 : -ENOMEM;
}

bool http_request_is_for(const char *head, size_t size, const char *target) {
    static const char get[] = "GET ", version[] = " HTTP/1.";
    const size_t n = strlen(get), n_target = strlen(target), n_version = strlen(version);

    return size > n + n_target + n_version && memcmp(head, get, n) == 0 &&
           memcmp(head + n, target, n_target) == 0 &&
           memcmp(head + n + n_target, version, n_version) == 0;
}

int http_upgrade_response(const HttpUpgradeRequest *request, char **ret) {
    char accept[WEBSOCKET_ACCEPT_SIZE];
    int r;

    TRY(websocket_accept_for_key(request->key, accept));
    r = asprintf(
        ret,
        "HTTP/1.1 101 Switching Protocols\r\n"
        "Upgrade: websocket\r\n"
        "Connection: Upgrade\r\n"
        "Sec-WebSocket-Accept: %s\r\n"
        "%s"
        "\r\n",
        accept,
        request->offers_subprotocol ? "Sec-WebSocket-Protocol: " WEBSOCKET_SUBPROTOCOL "\r\n" : "");
    return r < 0 ? -ENOMEM : 0;
}
