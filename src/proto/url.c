/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/url.h"

#include <stdio.h>

#include "basic/bounds.h"

void url_done(Url *u) {
    free(u->host);
    free(u->target);
    free(u->origin);
    *u = (Url){};
}

static int parse_port(const char *s, size_t size, uint16_t *ret) {
    unsigned value = 0;

    if (size == 0 || size > 5)
        return -EINVAL;
    for (size_t i = 0; i < size; i++) {
        if (s[i] < '0' || s[i] > '9')
            return -EINVAL;
        value = value * 10 + (unsigned)(s[i] - '0');
    }
    if (value == 0 || value > UINT16_MAX)
        return -EINVAL;
    *ret = (uint16_t)value;
    return 0;
}

int url_parse_authority(const char *s, size_t size, char **ret_host, uint16_t *port,
                        const char **ret_error) {
    const char *host = s, *colon;
    size_t host_size;

    *ret_error = "the host is missing or malformed";
    if (size > 0 && s[0] == '[') {
        const char *end = memchr(s, ']', size);

        if (!end)
            return -EINVAL;
        host = s + 1;
        host_size = (size_t)(end - host);
        colon = end + 1 < s + size ? end + 1 : NULL;
        if (colon && *colon != ':')
            return -EINVAL;
    } else {
        colon = memchr(s, ':', size);
        host_size = colon ? (size_t)(colon - s) : size;
    }
    if (host_size == 0)
        return -EINVAL;
    if (colon && parse_port(colon + 1, size - (size_t)(colon + 1 - s), port) < 0) {
        *ret_error = "the port must be a number from 1 to 65535";
        return -EINVAL;
    }
    host = strndup(host, host_size);
    if (!host)
        return -ENOMEM;
    *ret_host = (char *)host;
    *ret_error = NULL;
    return 0;
}

int url_format_authority(const char *host, uint16_t port, char **ret) {
    bool v6 = strchr(host, ':');
    char *s;
    int n;

    n = port == 0 ? asprintf(&s, "%s%s%s", v6 ? "[" : "", host, v6 ? "]" : "")
                  : asprintf(&s, "%s%s%s:%u", v6 ? "[" : "", host, v6 ? "]" : "", port);
    if (n < 0)
        return -ENOMEM;
    *ret = s;
    return 0;
}

bool url_is_printable(const char *text) {
    for (const char *p = text; *p; p++)
        if (*p <= ' ' || *p > '~')
            return false;
    return true;
}

int url_parse(const char *text, Url *ret, const char **ret_error) {
    _cleanup_(url_done) Url u = {};
    const char *authority, *end;

    *ret_error = NULL;
    if (strlen(text) > URL_SIZE_MAX) {
        *ret_error = "it is too long";
        return -EINVAL;
    }
    if (!url_is_printable(text)) {
        *ret_error = "it has a blank, a control or a non-ASCII character";
        return -EINVAL;
    }
    if (strncasecmp(text, "wss://", 6) == 0) {
        u = (Url){.tls = true, .port = 443};
        authority = text + 6;
    } else if (strncasecmp(text, "ws://", 5) == 0) {
        u = (Url){.port = 80};
        authority = text + 5;
    } else {
        *ret_error = "it must begin with wss:// or ws://";
        return -EINVAL;
    }

    end = authority + strcspn(authority, "/?#");
    if (strchr(end, '#')) {
        *ret_error = "a WebSocket URL has no fragment";
        return -EINVAL;
    }
    if (memchr(authority, '@', (size_t)(end - authority))) {
        *ret_error = "user names and passwords in the URL are not supported";
        return -EINVAL;
    }
    TRY(url_parse_authority(authority, (size_t)(end - authority), &u.host, &u.port, ret_error));
    if (asprintf(&u.target, "%s%s", *end == '/' ? "" : "/", end) < 0)
        return -ENOMEM;
    u.origin = strdup(text);
    if (!u.origin)
        return -ENOMEM;
    *ret_error = NULL;
    *ret = u;
    u = (Url){};
    return 0;
}

int url_host_header(const Url *u, char **ret) {
    uint16_t default_port = u->tls ? 443 : 80;

    return url_format_authority(u->host, u->port == default_port ? 0 : u->port, ret);
}
