/* SPDX-License-Identifier: Apache-2.0 */
#include "system/platform.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>

#include "basic/bounds.h"
#include "basic/file-util.h"
#include "proto/text.h"

void platform_done(Platform *p) {
    free(p->name);
    free(p->version);
    free(p->like);
    *p = (Platform){};
}

/* Returns the value of KEY= in lower case without quotes; the values of these keys have no
 * escapes. */
static int find_value(const char *text, const char *key, char **ret) {
    size_t key_size = strlen(key);

    for (const char *line = text; line; line = strchr(line, '\n')) {
        char *value;
        size_t size;

        line += *line == '\n';
        if (strncmp(line, key, key_size) != 0 || line[key_size] != '=')
            continue;
        line += key_size + 1;
        size = strcspn(line, "\n");
        if (size >= 2 && (*line == '"' || *line == '\'') && line[size - 1] == *line) {
            line++;
            size -= 2;
        }
        if (size == 0 || !utf8_is_valid(line, size))
            break; /* the value goes onto the wire unchanged */
        value = strndup(line, size);
        if (!value)
            return -ENOMEM;
        for (char *c = value; *c; c++)
            *c = (char)tolower((unsigned char)*c);
        *ret = value;
        return 0;
    }
    *ret = strdup("unknown");
    return *ret ? 0 : -ENOMEM;
}

int platform_parse(const char *text, Platform *ret) {
    _cleanup_(platform_done) Platform p = {};

    TRY(find_value(text, "ID", &p.name));
    TRY(find_value(text, "VERSION_ID", &p.version));
    TRY(find_value(text, "ID_LIKE", &p.like));
    *ret = p;
    p = (Platform){};
    return 0;
}

int platform_read(Platform *ret) {
    _cleanup_free_ char *text = NULL;
    int r;

    r = read_file_at(AT_FDCWD, "/etc/os-release", CONFIG_FILE_MAX, &text, NULL);
    if (r == -ENOENT)
        r = read_file_at(AT_FDCWD, "/usr/lib/os-release", CONFIG_FILE_MAX, &text, NULL);
    if (r < 0 && r != -ENOENT)
        return r;
    return platform_parse(strempty(text), ret);
}
