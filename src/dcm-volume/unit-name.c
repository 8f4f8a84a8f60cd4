/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-volume/unit-name.h"

#include <ctype.h>
#include <stdio.h>

#define PREFIX "systemd-cryptsetup@"
#define SUFFIX ".service"

/* systemd.unit(5), "String escaping for inclusion in unit names" */
static int escape(const char *text, char **ret) {
    char *out = malloc(strlen(text) * 4 + 1), *p = out;

    if (!out)
        return -ENOMEM;
    for (const char *s = text; *s; s++)
        if (*s == '/')
            *p++ = '-';
        else if (isalnum((unsigned char)*s) || *s == ':' || *s == '_' || (*s == '.' && s != text))
            *p++ = *s;
        else
            p += sprintf(p, "\\x%02x", (unsigned)(unsigned char)*s);
    *p = 0;
    *ret = out;
    return 0;
}

int unit_name_of_mount(const char *path, char **ret) {
    _cleanup_free_ char *name = NULL;

    while (*path == '/')
        path++;
    TRY(escape(path, &name));
    return asprintf(ret, "%s.mount", *name ? name : "-") < 0 ? -ENOMEM : 0;
}

int unit_name_of_mapping(const char *name, char **ret) {
    _cleanup_free_ char *escaped = NULL;

    TRY(escape(name, &escaped));
    return asprintf(ret, PREFIX "%s" SUFFIX, escaped) < 0 ? -ENOMEM : 0;
}

static int digit(char c) {
    return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

static void unescape(char *s) {
    char *out = s;

    while (*s)
        if (s[0] == '\\' && s[1] == 'x' && isxdigit((unsigned char)s[2]) &&
            isxdigit((unsigned char)s[3])) {
            *out++ = (char)(digit(s[2]) * 16 + digit(s[3]));
            s += 4;
        } else {
            *out++ = *s;
            if (*s++ == '-')
                out[-1] = '/';
        }
    *out = 0;
}

int unit_name_to_mapping(const char *unit, char **ret) {
    const char *end;

    if (strncmp(unit, PREFIX, strlen(PREFIX)) != 0)
        return 0;
    unit += strlen(PREFIX);
    end = strstr(unit, SUFFIX);
    if (!end || end == unit)
        return 0;
    *ret = strndup(unit, (size_t)(end - unit));
    if (!*ret)
        return -ENOMEM;
    unescape(*ret);
    return 1;
}
