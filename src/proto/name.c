/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/name.h"

#define USER_NAME_MAX 32
#define HOST_TEXT_MAX 255 /* of what is given, as in the Python agent */
#define HOST_NAME_SIZE_MAX 253
#define LABEL_SIZE_MAX 63

/* Not isalnum(): the locale has no say in it. */
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

int host_name_make(const char *text, char **ret) {
    _cleanup_free_ char *name = NULL;
    size_t n = 0;

    if (strlen(text) > HOST_TEXT_MAX)
        return -EINVAL;
    name = malloc(strlen(text) + 1);
    if (!name)
        return -ENOMEM;
    for (const char *p = text; *p; p++)
        if (is_alphanumeric(*p) || *p == '.' || *p == '-')
            name[n++] = *p;
    name[n] = 0;
    if (!is_host_name(name))
        return -EINVAL;
    *ret = TAKE_PTR(name);
    return 0;
}
