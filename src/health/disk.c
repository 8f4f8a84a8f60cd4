/* SPDX-License-Identifier: Apache-2.0 */
#include "health/disk.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/array.h"
#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "health/scan.h"

#define N_COUNTERS 11

void disk_table_done(DiskTable *t) {
    free(t->disks);
    *t = (DiskTable){};
}

static bool is_same(const Disk *a, const Disk *b) {
    return a->major == b->major && a->minor == b->minor && streq(a->name, b->name);
}

const Disk *disk_table_find(const DiskTable *t, const Disk *d, size_t hint) {
    if (hint < t->n && is_same(&t->disks[hint], d))
        return &t->disks[hint];
    for (size_t i = 0; i < t->n; i++)
        if (is_same(&t->disks[i], d))
            return &t->disks[i];
    return NULL;
}

/* "   8       0 sda 1 2 3 ...": Documentation/admin-guide/iostats.rst */
static bool parse_line(const char *line, Disk *ret) {
    uint64_t c[N_COUNTERS];
    size_t size;

    if (!scan_u64(&line, &ret->major) || !scan_u64(&line, &ret->minor))
        return false;
    size = scan_word(&line);
    if (size == 0 || size >= sizeof(ret->name))
        return false;
    memcpy(ret->name, line, size);
    ret->name[size] = 0;
    line += size;
    if (!scan_list(&line, c, ELEMENTSOF(c)))
        return false;
    ret->reads = c[0];
    ret->sectors_read = c[2];
    ret->read_msec = c[3];
    ret->writes = c[4];
    ret->sectors_written = c[6];
    ret->write_msec = c[7];
    ret->n_in_flight = c[8];
    ret->busy_msec = c[9];
    return true;
}

int disk_table_parse(DiskTable *t, const char *text, const DiskTable *before, DiskIsWhole is_whole,
                     void *userdata) {
    t->n = 0;
    for (const char *line = text; line; line = scan_next_line(line)) {
        const Disk *known;
        Disk d = {};
        int r;

        if (!parse_line(line, &d))
            continue;
        known = disk_table_find(before, &d, t->n);
        d.is_whole = known ? known->is_whole : is_whole(d.name, userdata);
        r = array_reserve(&t->disks, &t->allocated, t->n + 1, HEALTH_DISKS_MAX);
        if (r == -ENOBUFS)
            return 0;
        if (r < 0)
            return r;
        t->disks[t->n++] = d;
    }
    return 0;
}

static bool is_hidden(int fd) {
    _cleanup_close_ int file = openat(fd, "hidden", O_RDONLY | O_CLOEXEC);
    char c = '0';

    return file >= 0 && read(file, &c, 1) == 1 && c == '1';
}

bool disk_is_whole(int root_fd, const char *name) {
    char path[sizeof("sys/block/") + DISK_NAME_SIZE];
    _cleanup_close_ int fd = -1;

    if (name[0] == '.')
        return false;
    (void)snprintf(path, sizeof(path), "sys/block/%s", name);
    for (char *c = path + strlen("sys/block/"); *c; c++) /* "cciss/c0d0" is "cciss!c0d0" there */
        if (*c == '/')
            *c = '!';
    fd = openat(root_fd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || is_hidden(fd))
        return false;
    return faccessat(fd, "device", F_OK, 0) == 0 || strncmp(name, "nbd", strlen("nbd")) == 0;
}
