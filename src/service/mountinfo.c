/* SPDX-License-Identifier: Apache-2.0 */
#include "service/mountinfo.h"

#include <stdio.h>
#include <sys/sysmacros.h>

/* "36 35 98:0 /root /point options ...": proc_pid_mountinfo(5) */
typedef struct Line {
    unsigned long long id;
    unsigned device_major, device_minor;
    const char *point;
    size_t point_size;
} Line;

static bool parse_line(const char *text, Line *ret) {
    int at = 0;

    if (sscanf(text, "%llu %*u %u:%u %*s %n", &ret->id, &ret->device_major, &ret->device_minor,
               &at) < 3 ||
        at == 0)
        return false;
    ret->point = text + at;
    ret->point_size = strcspn(ret->point, " \n");
    return ret->point_size > 0;
}

static const char *next_line(const char *text) {
    const char *end = strchr(text, '\n');

    return end && end[1] ? end + 1 : NULL;
}

static bool is_at_or_below(const Line *l, const char *path) {
    const size_t size = strlen(path);

    return l->point_size >= size && memcmp(l->point, path, size) == 0 &&
           (l->point_size == size || l->point[size] == '/');
}

int mountinfo_find_below(const char *text, const char *path, char **ret) {
    Line l;

    for (const char *line = text; line; line = next_line(line))
        if (parse_line(line, &l) && is_at_or_below(&l, path)) {
            *ret = strndup(l.point, l.point_size);
            return *ret ? 0 : -ENOMEM;
        }
    return -ENOENT;
}

int mountinfo_find_device(const char *text, uint64_t mount_id, dev_t *ret) {
    Line l;

    for (const char *line = text; line; line = next_line(line))
        if (parse_line(line, &l) && l.id == mount_id) {
            *ret = makedev(l.device_major, l.device_minor);
            return 0;
        }
    return -ENOENT;
}
