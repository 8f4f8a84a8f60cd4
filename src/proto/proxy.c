/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/proxy.h"

#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <stdio.h>

#include "basic/bounds.h"
#include "proto/http-head.h"
#include "proto/text.h"

int proxy_note_origin(Proxy *p, const char *variable) {
    char *shown;

    if (asprintf(&shown, "%s (from %s in the environment)", p->label, variable) < 0)
        return -ENOMEM;
    free(p->shown);
    p->shown = shown;
    return 0;
}

void proxy_done(Proxy *p) {
    free(p->host);
    free(p->label);
    free(p->shown);
    if (p->authorization)
        explicit_bzero(p->authorization, strlen(p->authorization));
    free(p->authorization);
    *p = (Proxy){};
}

static int base64(const char *text, char **ret) {
    gnutls_datum_t in = {(unsigned char *)text, (unsigned)strlen(text)}, out = {};
    char *copy;

    if (gnutls_base64_encode2(&in, &out) < 0)
        return -ENOMEM;
    copy = strndup((const char *)out.data, out.size);
    gnutls_memset(out.data, 0, out.size);
    gnutls_free(out.data);
    if (!copy)
        return -ENOMEM;
    free(*ret);
    *ret = copy;
    return 0;
}

int proxy_set_auth(Proxy *p, const char *user_password, const char **ret_error) {
    size_t size = strlen(user_password);
    char *text;
    int r;

    while (size > 0 && strchr(" \t\r\n", user_password[size - 1]))
        size--;
    text = strndup(user_password, size);
    if (!text)
        return -ENOMEM;
    r = 0;
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            r = -EINVAL;
    if (r < 0 || !strchr(text, ':')) {
        *ret_error = "the authentication is not one line user:password";
        r = -EINVAL;
    } else
        r = base64(text, &p->authorization);
    explicit_bzero(text, size);
    free(text);
    return r;
}

static int take_user(Proxy *p, const char *user, size_t size, const char **ret_error) {
    _cleanup_free_ char *encoded = strndup(user, size), *text = NULL;
    int r;

    if (!encoded)
        return -ENOMEM;
    r = percent_decode(encoded, &text);
    explicit_bzero(encoded, size);
    if (r < 0)
        return r;
    r = proxy_set_auth(p, text, ret_error);
    explicit_bzero(text, strlen(text));
    return r;
}

/* Parses the URL behind the scheme. */
static int parse_rest(Proxy *p, const char *authority, const char **ret_error) {
    const char *end = authority + strcspn(authority, "/?#"), *host = authority;
    _cleanup_free_ char *shown = NULL;
    int r = 0;

    if (end[0] != 0 && !streq(end, "/")) {
        *ret_error = "a proxy's URL has no path";
        return -EINVAL;
    }
    for (const char *c = authority; c < end; c++)
        if (*c == '@')
            host = c + 1;
    if (host > authority)
        r = take_user(p, authority, (size_t)(host - 1 - authority), ret_error);
    if (r >= 0)
        r = url_parse_authority(host, (size_t)(end - host), &p->host, &p->port, ret_error);
    if (r >= 0)
        r = url_format_authority(p->host, p->port, &shown);
    if (r < 0)
        return r;
    return asprintf(&p->label, "%s://%s", p->tls ? "https" : "http", shown) < 0 ? -ENOMEM : 0;
}

int proxy_parse(const char *text, Proxy *ret, const char **ret_error) {
    Proxy p = {.port = 80};
    int r;

    *ret_error = NULL;
    if (strlen(text) > URL_SIZE_MAX || !url_is_printable(text)) {
        *ret_error = "it is too long, or has a blank, a control or a non-ASCII character";
        return -EINVAL;
    }
    if (strncasecmp(text, "https://", 8) == 0)
        p = (Proxy){.tls = true, .port = 443};
    if (strncasecmp(text, "http", 4) == 0 && strstr(text, "://") == text + 4 + p.tls)
        text += 7 + p.tls;
    else if (strstr(text, "://")) {
        *ret_error = "it must begin with http:// or https://";
        return -EINVAL;
    }
    r = parse_rest(&p, text, ret_error);
    if (r < 0) {
        proxy_done(&p);
        return r;
    }
    *ret = p;
    return 0;
}

const char *proxy_from_environment(bool tls, const char *(*get)(const char *name),
                                   const char **ret_name) {
    static const char *const names[][4] = {
        {"http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"},
        {"HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"},
    };

    for (size_t i = 0; i < ELEMENTSOF(names[0]); i++) {
        const char *value = get(names[tls][i]);

        if (isempty(value))
            continue;
        *ret_name = names[tls][i];
        return value;
    }
    return NULL;
}

/* Maps IPv4 addresses to IPv6 for the comparison. */
static bool parse_address(const char *text, struct in6_addr *ret) {
    struct in_addr v4;

    if (inet_pton(AF_INET6, text, ret) == 1)
        return true;
    if (inet_pton(AF_INET, text, &v4) != 1)
        return false;
    *ret = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
    memcpy(ret->s6_addr + 12, &v4, sizeof(v4));
    return true;
}

/* Cuts `network` at its slash. */
static bool is_in_network(char *network, const char *host) {
    struct in6_addr a, b;
    char *slash = strchr(network, '/'), *end;
    unsigned long bits;

    *slash = 0;
    if (!parse_address(network, &a) || !parse_address(host, &b) || !slash[1])
        return false;
    bits = strtoul(slash + 1, &end, 10);
    if (*end || bits > (strchr(network, ':') ? 128 : 32))
        return false;
    if (!strchr(network, ':'))
        bits += 96;
    if (memcmp(&a, &b, bits / 8) != 0)
        return false;
    return bits % 8 == 0 || ((a.s6_addr[bits / 8] ^ b.s6_addr[bits / 8]) >> (8 - bits % 8)) == 0;
}

static bool is_same_or_below(const char *name, const char *host) {
    size_t n, h = strlen(host);

    if (h > 0 && host[h - 1] == '.') /* an absolute name */
        h--;
    if (name[0] == '*')
        name++;
    if (name[0] == '.')
        name++;
    n = strlen(name);
    return n > 0 && h >= n && strncasecmp(host + h - n, name, n) == 0 &&
           (h == n || host[h - n - 1] == '.');
}

static bool is_covered(char *entry, const char *host, uint16_t port) {
    _cleanup_free_ char *name = NULL;
    struct in6_addr a, b;
    uint16_t only = 0;
    const char *error;

    if (streq(entry, "*"))
        return true;
    if (strchr(entry, '/'))
        return is_in_network(entry, host);
    if (parse_address(entry, &a)) /* an IPv6 address without brackets */
        return parse_address(host, &b) && memcmp(&a, &b, sizeof(a)) == 0;
    if (url_parse_authority(entry, strlen(entry), &name, &only, &error) < 0 ||
        (only != 0 && only != port))
        return false;
    if (parse_address(name, &a))
        return parse_address(host, &b) && memcmp(&a, &b, sizeof(a)) == 0;
    return !parse_address(host, &b) && is_same_or_below(name, host);
}

bool proxy_is_excluded(const char *no_proxy, const char *host, uint16_t port) {
    const char *p = strempty(no_proxy);

    for (;;) {
        char entry[256];
        size_t size;

        p += strspn(p, ", \t");
        size = strcspn(p, ", \t");
        if (size == 0)
            return false;
        if (size < sizeof(entry)) { /* no host name is longer */
            memcpy(entry, p, size);
            entry[size] = 0;
            if (is_covered(entry, host, port))
                return true;
        }
        p += size;
    }
}

int proxy_connect_request(const Proxy *p, const Url *url, const char *user_agent, char **ret) {
    _cleanup_free_ char *target = NULL;
    int r;

    TRY(url_format_authority(url->host, url->port, &target));
    r = asprintf(ret,
                 "CONNECT %s HTTP/1.1\r\n"
                 "Host: %s\r\n"
                 "%s%s%s"
                 "User-Agent: %s\r\n"
                 "\r\n",
                 target, target, p->authorization ? "Proxy-Authorization: Basic " : "",
                 strempty(p->authorization), p->authorization ? "\r\n" : "", user_agent);
    return r < 0 ? -ENOMEM : 0;
}

/* "Basic" may be one of several in a list, and have parameters. */
static bool offers_basic(HttpSlice head) {
    HttpSlice line;

    while (http_next_line(&head, &line)) {
        static const char name[] = "Proxy-Authenticate:";

        if (line.size < strlen(name) || strncasecmp(line.data, name, strlen(name)) != 0)
            continue;
        for (size_t i = strlen(name); i + 5 <= line.size; i++)
            if (strncasecmp(line.data + i, "basic", 5) == 0)
                return true;
    }
    return false;
}

int proxy_connect_answer_check(const char *data, size_t size, HttpAnswer *ret) {
    static const struct {
        int status;
        const char *remedy;
    } remedies[] = {
        {400, "is it an HTTP proxy?"},        {403, "have it allow the manager's name and port"},
        {404, "is it an HTTP proxy?"},        {405, "it must allow CONNECT"},
        {500, "it cannot reach the manager"}, /* tinyproxy */
        {501, "it must allow CONNECT"},       {502, "it cannot reach the manager"},
        {503, "it cannot reach the manager"}, {504, "it cannot reach the manager"},
    };
    HttpSlice head = {data, size}, line = {};
    const char *remedy = "check proxy";
    char quote[HTTP_QUOTED_MAX + 1];

    *ret = (HttpAnswer){};
    if (http_parse_status_line(head, &ret->status, &line) < 0) {
        (void)snprintf(ret->error, sizeof(ret->error),
                       "it does not speak HTTP; check proxy, and whether it is https://");
        return -EPROTO;
    }
    if (ret->status / 100 == 2)
        return 0;
    for (size_t i = 0; i < ELEMENTSOF(remedies); i++)
        if (ret->status == remedies[i].status)
            remedy = remedies[i].remedy;
    if (ret->status == 401) /* tinyproxy's status for a wrong password */
        remedy = "set or correct proxy_auth";
    if (ret->status == 407)
        remedy = offers_basic(head) ? "set or correct proxy_auth"
                                    : "only Basic authentication is supported here";
    if (ret->status == 429 || ret->status == 503)
        ret->retry_after_usec = http_retry_after_usec(head);
    http_quote((HttpSlice){line.data + 9, line.size - 9}, quote, sizeof(quote));
    (void)utf8_format(ret->error, sizeof(ret->error), "it answered %s; %s", quote, remedy);
    return -EPROTO;
}
