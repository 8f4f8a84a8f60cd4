/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/name.h"

#include <arpa/inet.h>

#define USER_NAME_MAX 32
#define HOST_TEXT_MAX 255     /* of the manager's text, as in the Python agent */
#define HOST_NAME_SIZE_MAX 64 /* HOST_NAME_MAX of Linux */
#define LABEL_SIZE_MAX 63

/* Unlike isalnum(), independent of the locale. */
static bool is_alphanumeric(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool user_name_is_valid(const char *s) {
    size_t n = strlen(s);

    if (n == 0 || n > USER_NAME_MAX || !is_alphanumeric(s[0]) || !is_alphanumeric(s[n - 1]))
        return false;
    for (const char *p = s; *p; p++)
        if (!is_alphanumeric(*p) && *p != '-' && *p != '_')
            return false;
    return true;
}

static bool is_label(const char *s, size_t n) {
    return n > 0 && n <= LABEL_SIZE_MAX && s[0] != '-' && s[n - 1] != '-';
}

static bool is_host_name(const char *s) {
    if (strlen(s) > HOST_NAME_SIZE_MAX)
        return false;
    for (;;) {
        size_t n = strcspn(s, ".");

        if (!is_label(s, n))
            return false;
        if (!s[n])
            return true;
        s += n + 1;
    }
}

static bool is_number(const char *s, size_t n) {
    bool hex = n >= 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X');

    return strspn(hex ? s + 2 : s, hex ? "0123456789abcdefABCDEF" : "0123456789") >=
           (hex ? n - 2 : n);
}

/* Matches all forms of addresses that inet_aton(3) accepts, and more. */
static bool is_all_numbers(const char *s) {
    for (;;) {
        size_t n = strcspn(s, ".");

        if (!is_number(s, n))
            return false;
        if (!s[n])
            return true;
        s += n + 1;
    }
}

/* Accepts brackets, a zone, and a prefix length. */
static bool is_ipv6_address(const char *text) {
    char address[INET6_ADDRSTRLEN];
    struct in6_addr a;
    size_t n;

    text += strspn(text, "[ ");
    n = strspn(text, "0123456789abcdefABCDEF:.");
    if (n == 0 || n >= sizeof(address) || !strchr("]%/ ", text[n]))
        return false;
    *(char *)mempcpy(address, text, n) = 0;
    return inet_pton(AF_INET6, address, &a) == 1;
}

static bool ends_with(const char *s, const char *end) {
    size_t n = strlen(s), m = strlen(end);

    return n >= m && strcasecmp(s + n - m, end) == 0 && (n == m || s[n - m - 1] == '.');
}

/* RFC 6761, section 6.3, and the similar names in /etc/hosts of distributions. */
static bool is_localhost(const char *s) {
    static const char *const names[] = {
        "localhost",
        "localhost4",
        "localhost6",
        "localhost.localdomain",
        "localhost4.localdomain4",
        "localhost6.localdomain6",
    };

    for (size_t i = 0; i < ELEMENTSOF(names); i++)
        if (ends_with(s, names[i]))
            return true;
    return strcasecmp(s, "ip6-localhost") == 0 || strcasecmp(s, "ip6-loopback") == 0;
}

int host_name_make(const char *text, char **ret) {
    _cleanup_free_ char *name = NULL;
    size_t n = 0;

    if (strlen(text) > HOST_TEXT_MAX || is_ipv6_address(text))
        return -EINVAL;
    name = malloc(strlen(text) + 1);
    if (!name)
        return -ENOMEM;
    for (const char *p = text; *p; p++)
        if (is_alphanumeric(*p) || *p == '.' || *p == '-')
            name[n++] = *p;
    name[n] = 0;
    if (!is_host_name(name) || is_all_numbers(name) || is_localhost(name))
        return -EINVAL;
    *ret = TAKE_PTR(name);
    return 0;
}
