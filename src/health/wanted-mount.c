/* SPDX-License-Identifier: Apache-2.0 */
#include "health/wanted-mount.h"

#include <mntent.h>
#include <stdio.h>

#include "basic/bounds.h"
#include "basic/file-util.h"
#include "basic/strv.h"
#include "basic/tab-mark.h"
#include "health/scan.h"

#define POINT_FIELD 4 /* of a line of mountinfo, from 0 */

static inline void endmntentp(FILE **f) {
    if (*f)
        (void)endmntent(*f);
}

void missing_mounts_done(MissingMounts *m) {
    strv_free(m->points);
    *m = (MissingMounts){};
}

static bool is_on_device(const char *source) {
    static const char *const prefixes[] = {"/dev/", "UUID=", "LABEL=", "PARTUUID=", "PARTLABEL="};

    for (size_t i = 0; i < ELEMENTSOF(prefixes); i++)
        if (strncmp(source, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

/* The mount point as the kernel writes it. */
static char *escape(const char *point) {
    size_t size = strlen(point);
    char *text = malloc(size * 4 + 1), *out = text;

    while (size > 1 && point[size - 1] == '/')
        size--;
    for (size_t i = 0; text && i < size; i++)
        if (strchr(" \t\n\\", point[i]))
            out += sprintf(out, "\\%03o", (unsigned)(unsigned char)point[i]);
        else
            *out++ = point[i];
    if (text)
        *out = 0;
    return text;
}

static bool is_mounted(const char *mountinfo, const char *point) {
    size_t wanted = strlen(point);

    for (const char *line = mountinfo; line; line = scan_next_line(line)) {
        const char *p = line;
        size_t size = scan_word(&p);

        for (unsigned i = 0; i < POINT_FIELD && size > 0; i++) {
            p += size;
            size = scan_word(&p);
        }
        if (size == wanted && strncmp(p, point, size) == 0)
            return true;
    }
    return false;
}

static int look_at(MissingMounts *m, const struct mntent *e, bool is_ours, const char *mountinfo) {
    _cleanup_free_ char *point = NULL;

    if (e->mnt_dir[0] != '/' || !is_on_device(e->mnt_fsname) ||
        (hasmntopt(e, "noauto") && !is_ours))
        return 0;
    point = escape(e->mnt_dir);
    if (!point)
        return -ENOMEM;
    if (is_mounted(mountinfo, point))
        return 0;
    m->n++;
    if (m->n_points >= HEALTH_MISSING_MOUNTS_MAX)
        return 0;
    return strv_push(&m->points, &m->n_points, strdup(e->mnt_dir));
}

/* getmntent_r(3) of one line, since it does not tell what is above one. */
static int look_at_line(MissingMounts *m, const char *line, size_t size, bool is_ours,
                        const char *mountinfo) {
    _cleanup_(endmntentp) FILE *f = fmemopen((char *)line, size, "r");
    char buf[4096];
    struct mntent e;

    if (!f)
        return -errno;
    return getmntent_r(f, &e, buf, sizeof(buf)) ? look_at(m, &e, is_ours, mountinfo) : 0;
}

int missing_mounts_parse(MissingMounts *m, const char *fstab, const char *mountinfo) {
    const char *above = "";
    size_t above_size = 0;

    missing_mounts_done(m);
    for (const char *line = *fstab ? fstab : NULL; line; line = scan_next_line(line)) {
        const size_t size = strcspn(line, "\n");

        if (size > 0 && *line != '#')
            TRY(look_at_line(m, line, size, tab_mark_is(above, above_size, line, size), mountinfo));
        above = line;
        above_size = size;
    }
    return 0;
}

int missing_mounts_read(MissingMounts *m, int root_fd) {
    _cleanup_free_ char *fstab = NULL, *mountinfo = NULL;
    int r;

    r = read_file_at(root_fd, "etc/fstab", CONFIG_FILE_MAX, &fstab, NULL);
    if (r == -ENOENT) {
        missing_mounts_done(m);
        return 0;
    }
    TRY(r);
    TRY(read_file_at(root_fd, "proc/self/mountinfo", PROC_FILE_MAX, &mountinfo, NULL));
    return missing_mounts_parse(m, fstab, mountinfo);
}
