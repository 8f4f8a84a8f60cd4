/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/fetch-order.h"

#include <inttypes.h>
#include <stdio.h>

#define MAGIC "DCM_FETCH=1\n"
#define KEY_PATIENCE "PATIENCE_USEC="
#define KEY_URL "URL="
#define PEM_BEGIN "-----BEGIN CERTIFICATE-----"
#define PEM_END "-----END CERTIFICATE-----"

static void clear_and_free(char *s) {
    if (s)
        explicit_bzero(s, strlen(s));
    free(s);
}

void fetch_order_done(FetchOrder *o) {
    clear_and_free(o->url);
    clear_and_free(o->certificate);
    *o = (FetchOrder){};
}

static bool has_scheme(const char *url, const char *scheme) {
    return strncasecmp(url, scheme, strlen(scheme)) == 0;
}

bool fetch_url_is_remote(const char *url) {
    return has_scheme(url, "http://") || has_scheme(url, "https://");
}

bool fetch_url_is_tls(const char *url) {
    return has_scheme(url, "https://");
}

bool fetch_url_is_valid(const char *url) {
    size_t size = strnlen(url, FETCH_URL_MAX + 1);

    if (size > FETCH_URL_MAX)
        return false;
    for (const char *p = url; *p; p++)
        if (*p <= ' ' || *p > '~')
            return false;
    return fetch_url_is_remote(url) || has_scheme(url, "file:///") ||
           has_scheme(url, "file://localhost/");
}

bool fetch_certificate_is_valid(const char *text) {
    const char *begin;

    if (strnlen(text, FETCH_CERTIFICATE_MAX + 1) > FETCH_CERTIFICATE_MAX)
        return false;
    begin = strstr(text, PEM_BEGIN);
    return begin && strstr(begin, PEM_END);
}

static bool is_valid(const FetchOrder *o) {
    return o->url && fetch_url_is_valid(o->url) && o->patience_usec > 0 &&
           o->patience_usec <= FETCH_TIME_USEC_MAX &&
           (!o->certificate || fetch_certificate_is_valid(o->certificate));
}

int fetch_order_render(const FetchOrder *o, char **ret) {
    if (!is_valid(o))
        return -EINVAL;
    return asprintf(ret, MAGIC KEY_PATIENCE "%" PRIu64 "\n" KEY_URL "%s\n%s", o->patience_usec,
                    o->url, strempty(o->certificate)) < 0
               ? -ENOMEM
               : 0;
}

/* Advances *p past `expected`, if it is there. */
static bool skip(const char **p, const char *expected) {
    size_t size = strlen(expected);

    if (strncmp(*p, expected, size) != 0)
        return false;
    *p += size;
    return true;
}

/* Reads digits and a newline. */
static bool read_usec(const char **p, uint64_t *ret) {
    uint64_t n = 0;

    for (; **p >= '0' && **p <= '9'; (*p)++) {
        n = n * 10 + (uint64_t)(**p - '0');
        if (n > FETCH_TIME_USEC_MAX)
            return false;
    }
    *ret = n;
    return skip(p, "\n");
}

int fetch_order_parse(const char *text, size_t size, FetchOrder *ret) {
    _cleanup_(fetch_order_done) FetchOrder o = {};
    const char *p = text, *end;

    if (size > FETCH_ORDER_MAX || strnlen(text, size) != size)
        return -EBADMSG;
    if (!skip(&p, MAGIC) || !skip(&p, KEY_PATIENCE) || !read_usec(&p, &o.patience_usec) ||
        !skip(&p, KEY_URL))
        return -EBADMSG;
    end = strchr(p, '\n');
    if (!end)
        return -EBADMSG;
    o.url = strndup(p, (size_t)(end - p));
    o.certificate = end[1] ? strdup(end + 1) : NULL;
    if (!o.url || (end[1] && !o.certificate))
        return -ENOMEM;
    if (!is_valid(&o))
        return -EBADMSG;
    *ret = o;
    o = (FetchOrder){};
    return 0;
}
