/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-volume/unit-name.h"

#include <ctype.h>
#include <stdio.h>

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
    return asprintf(ret, "systemd-cryptsetup@%s.service", escaped) < 0 ? -ENOMEM : 0;
}
