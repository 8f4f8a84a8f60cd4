/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/parse-util.h"

#include <linux/limits.h>

#include "basic/strv.h"

int parse_words(const char *text, char ***ret) {
    static const char between[] = ", \t";
    size_t n = 0;
    char **list;

    list = calloc(strlen(text) / 2 + 2, sizeof(char *));
    if (!list)
        return -ENOMEM;
    for (text += strspn(text, between); *text; text += strspn(text, between)) {
        size_t size = strcspn(text, between);

        list[n] = strndup(text, size);
        if (!list[n++]) {
            strv_free(list);
            return -ENOMEM;
        }
        text += size;
    }
    strv_free(*ret);
    *ret = list;
    return 0;
}

int parse_bool(const char *value, bool *ret) {
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};

    for (size_t i = 0; i < ELEMENTSOF(words); i++)
        if (strcasecmp(value, words[i]) == 0) {
            *ret = i % 2 == 1;
            return 0;
        }
    return -EINVAL;
}

bool paths_are_valid(char *const *paths) {
    for (char *const *p = paths; *p; p++)
        if (p[0][**p == '-'] != '/' || strstr(*p, "/../") || strlen(*p) >= PATH_MAX)
            return false;
    return true;
}

int parse_size(const char *text, uint64_t *ret) {
    static const char units[] = "KMGT";
    const char *unit;
    uint64_t n;
    char *end;

    if (*text < '0' || *text > '9')
        return -EINVAL;
    errno = 0;
    n = strtoull(text, &end, 10);
    if (errno != 0)
        return -EINVAL;
    unit = *end ? strchr(units, *end) : NULL;
    for (const char *u = units; unit && u <= unit; u++)
        if (__builtin_mul_overflow(n, (uint64_t)1024, &n))
            return -EINVAL;
    if (end[unit ? 1 : 0])
        return -EINVAL;
    *ret = n;
    return 0;
}
