/* SPDX-License-Identifier: Apache-2.0 */
/* Header fields are looked up in the unparsed head; nothing is copied or kept. What a peer says is
 * quoted in error texts only after its control characters are removed. */
#include "proto/http-upgrade.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <sys/random.h>

#include "basic/bounds.h"

#define WEBSOCKET_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" /* RFC 6455, section 1.3 */

typedef struct Slice {
    const char *data;
    size_t size;
} Slice;

ssize_t http_head_size(const char *data, size_t size) {
    const char *end = memmem(data, MIN(size, HTTP_HEAD_MAX), "\r\n\r\n", 4);

    if (end)
        return end + 4 - data;
    return size >= HTTP_HEAD_MAX ? -E2BIG : -EAGAIN;
}

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

    (void)snprintf(text, sizeof(text), "%s%s", key, WEBSOCKET_GUID);
    if (gnutls_hash_fast(GNUTLS_DIG_SHA1, text, strlen(text), digest) < 0)
        return -EOPNOTSUPP;
    return base64(digest, sizeof(digest), ret, WEBSOCKET_ACCEPT_SIZE);
}

int http_upgrade_request(const Url *url, const char *key, const char *user_agent, char **ret) {
    _cleanup_free_ char *host = NULL;
    int r;

    r = url_host_header(url, &host);
    if (r < 0)
        return r;
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

static Slice trim(Slice s) {
    while (s.size > 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
        s = (Slice){s.data + 1, s.size - 1};
    while (s.size > 0 && (s.data[s.size - 1] == ' ' || s.data[s.size - 1] == '\t'))
        s.size--;
    return s;
}

static bool slice_equals_nocase(Slice s, const char *text) {
    return s.size == strlen(text) && strncasecmp(s.data, text, s.size) == 0;
}

/* The next line of the head, without its CRLF; *head moves on. */
static bool next_line(Slice *head, Slice *ret) {
    const char *end = memmem(head->data, head->size, "\r\n", 2);

    if (!end)
        return false;
    *ret = (Slice){head->data, (size_t)(end - head->data)};
    head->size -= ret->size + 2;
    head->data = end + 2;
    return true;
}

/* RFC 9110, section 5: a field may stand on several lines; `want` asks for one element of the
 * comma-separated list, NULL takes the first line's whole value. */
static bool find_field(Slice head, const char *name, const char *want, Slice *ret_value) {
    Slice line;

    (void)next_line(&head, &line); /* request or status line */
    while (next_line(&head, &line)) {
        const char *colon = memchr(line.data, ':', line.size);
        Slice value;

        if (!colon || !slice_equals_nocase((Slice){line.data, (size_t)(colon - line.data)}, name))
            continue;
        value = trim((Slice){colon + 1, line.size - (size_t)(colon + 1 - line.data)});
        if (ret_value)
            *ret_value = value;
        if (!want)
            return true;
        while (value.size > 0) {
            const char *comma = memchr(value.data, ',', value.size);
            size_t size = comma ? (size_t)(comma - value.data) : value.size;

            if (slice_equals_nocase(trim((Slice){value.data, size}), want))
                return true;
            size += comma ? 1 : 0;
            value = (Slice){value.data + size, value.size - size};
        }
    }
    return false;
}

/* -EPROTO unless the first line is "HTTP/1.x NNN reason". */
static int parse_status_line(Slice head, int *ret_status, Slice *ret_line) {
    int status = 0;

    if (!next_line(&head, ret_line) || ret_line->size < 12 ||
        strncmp(ret_line->data, "HTTP/1.", 7) != 0 || ret_line->data[8] != ' ')
        return -EPROTO;
    for (int i = 9; i < 12; i++) {
        if (ret_line->data[i] < '0' || ret_line->data[i] > '9')
            return -EPROTO;
        status = status * 10 + (ret_line->data[i] - '0');
    }
    *ret_status = status;
    return 0;
}

static int fail(HttpUpgradeResponse *ret, const char *text, Slice quoted) {
    size_t used;

    (void)snprintf(ret->error, sizeof(ret->error), "%s%.*s", text,
                   (int)MIN(quoted.size, (size_t)80), strempty(quoted.data));
    used = strlen(ret->error);
    for (size_t i = 0; i < used; i++)
        if (ret->error[i] < ' ' || ret->error[i] > '~')
            ret->error[i] = '?';
    return -EPROTO;
}

int http_upgrade_response_check(const char *data, size_t size, const char *key,
                                HttpUpgradeResponse *ret) {
    char expected[WEBSOCKET_ACCEPT_SIZE];
    Slice head = {data, size}, value = {};
    int r;

    *ret = (HttpUpgradeResponse){};
    r = websocket_accept_for_key(key, expected);
    if (r < 0)
        return r;
    if (parse_status_line(head, &ret->status, &value) < 0)
        return fail(ret, "the server does not speak HTTP", (Slice){});
    if (ret->status != 101)
        return fail(ret, "the server answered ", (Slice){value.data + 9, value.size - 9});
    if (!find_field(head, "Upgrade", "websocket", NULL))
        return fail(ret, "the answer has no 'Upgrade: websocket'", (Slice){});
    if (!find_field(head, "Connection", "upgrade", NULL))
        return fail(ret, "the answer has no 'Connection: Upgrade'", (Slice){});
    if (!find_field(head, "Sec-WebSocket-Accept", NULL, &value) || value.size != strlen(expected) ||
        memcmp(value.data, expected, value.size) != 0)
        return fail(ret, "the answer's Sec-WebSocket-Accept is missing or wrong", (Slice){});
    if (find_field(head, "Sec-WebSocket-Extensions", NULL, &value) && value.size > 0)
        return fail(ret, "the server chose an extension that was not offered: ", value);
    if (find_field(head, "Sec-WebSocket-Protocol", NULL, &value) &&
        !slice_equals_nocase(value, WEBSOCKET_SUBPROTOCOL))
        return fail(ret, "the server chose a subprotocol that was not offered: ", value);
    return 0;
}

int http_upgrade_request_parse(const char *data, size_t size, HttpUpgradeRequest *ret,
                               int *ret_status) {
    static const char version[] = " HTTP/1.1";
    Slice head = {data, size}, rest = head, line, value = {};
    const char *end;

    *ret = (HttpUpgradeRequest){};
    *ret_status = 400;
    if (!next_line(&rest, &line))
        return -EPROTO;
    if (line.size < 4 || strncmp(line.data, "GET ", 4) != 0) {
        *ret_status = 405;
        return -EPROTO;
    }
    end = memchr(line.data + 4, ' ', line.size - 4);
    if (!end || line.size - (size_t)(end - line.data) != strlen(version) ||
        memcmp(end, version, strlen(version)) != 0)
        return -EPROTO;
    if (!find_field(head, "Upgrade", "websocket", NULL) ||
        !find_field(head, "Connection", "upgrade", NULL) ||
        !find_field(head, "Sec-WebSocket-Version", "13", NULL)) {
        *ret_status = 426;
        return -EPROTO;
    }
    if (!find_field(head, "Sec-WebSocket-Key", NULL, &value) ||
        value.size != WEBSOCKET_KEY_SIZE - 1)
        return -EPROTO;
    memcpy(ret->key, value.data, value.size);
    ret->offers_subprotocol =
        find_field(head, "Sec-WebSocket-Protocol", WEBSOCKET_SUBPROTOCOL, NULL);
    ret->target = strndup(line.data + 4, (size_t)(end - line.data) - 4);
    return ret->target ? 0 : -ENOMEM;
}

int http_upgrade_response(const HttpUpgradeRequest *request, char **ret) {
    char accept[WEBSOCKET_ACCEPT_SIZE];
    int r;

    r = websocket_accept_for_key(request->key, accept);
    if (r < 0)
        return r;
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
