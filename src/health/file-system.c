/* SPDX-License-Identifier: Apache-2.0 */
#include "health/file-system.h"

#include <limits.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "basic/array.h"
#include "basic/bounds.h"
#include "health/scan.h"

/* Types whose figures the kernel has in memory. Read-only images (squashfs, iso9660) are always
 * full, and are left out. */
static const char *const disk_types[] = {
    "ext2", "ext3",  "ext4",  "xfs",   "btrfs", "f2fs",    "jfs", "reiserfs", "zfs",   "bcachefs",
    "vfat", "msdos", "exfat", "ntfs3", "hfs",   "hfsplus", "ufs", "nilfs2",   "ubifs", "jffs2",
};
static const char *const subvolume_types[] = {"btrfs", "bcachefs", "zfs"};
/* Types that the path to a mount point may cross. */
static const char *const local_types[] = {
    "tmpfs",    "ramfs", "devtmpfs", "overlay", "squashfs", "iso9660",     "erofs",
    "rootfs",   "proc",  "sysfs",    "autofs",  "cgroup2",  "efivarfs",    "securityfs",
    "configfs", "udf",   "bpf",      "debugfs", "tracefs",  "binfmt_misc",
};

#define DEPTH_MAX 64

/* A line of mountinfo; the texts have the given sizes and no NUL. */
typedef struct Mount {
    uint64_t id, parent, major, minor;
    const char *root, *point, *type;
    size_t root_size, point_size, type_size;
} Mount;

typedef struct MountTable {
    Mount *mounts;
    size_t n, allocated;
} MountTable;

static void mount_table_done(MountTable *t) {
    free(t->mounts);
}

static bool is_in(const char *word, size_t size, const char *const *list, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (strlen(list[i]) == size && strncmp(list[i], word, size) == 0)
            return true;
    return false;
}

static bool is_on_disk(const Mount *m) {
    /* of a container: only its root directory stands for the disk below */
    if (m->type_size == strlen("overlay") && strncmp(m->type, "overlay", m->type_size) == 0)
        return m->point_size == 1;
    return is_in(m->type, m->type_size, disk_types, ELEMENTSOF(disk_types));
}

static size_t take_word(const char **p, const char **ret) {
    size_t size = scan_word(p);

    *ret = *p;
    *p += size;
    return size;
}

/* "36 35 98:0 /root /point options [more...] - type source options": proc_pid_mountinfo(5) */
static bool parse_line(const char *line, Mount *ret) {
    const char *word;
    size_t size;

    if (!scan_u64(&line, &ret->id) || !scan_u64(&line, &ret->parent) ||
        !scan_u64(&line, &ret->major) || *line++ != ':' || !scan_u64(&line, &ret->minor))
        return false;
    ret->root_size = take_word(&line, &ret->root);
    ret->point_size = take_word(&line, &ret->point);
    do
        size = take_word(&line, &word);
    while (size > 0 && !(size == 1 && *word == '-'));
    ret->type_size = take_word(&line, &ret->type);
    return ret->type_size > 0 && ret->point_size > 0 && ret->point_size < PATH_MAX &&
           *ret->point == '/';
}

/* "\040" is a blank. */
static char *unescape(const char *text, size_t size) {
    char *copy = malloc(size + 1), *out = copy;

    for (size_t i = 0; copy && i < size; i++) {
        if (text[i] == '\\' && size - i > 3 && text[i + 1] >= '0' && text[i + 1] <= '3' &&
            text[i + 2] >= '0' && text[i + 2] <= '7' && text[i + 3] >= '0' && text[i + 3] <= '7') {
            *out++ = (char)((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + text[i + 3] - '0');
            i += 3;
        } else
            *out++ = text[i];
    }
    if (copy)
        *out = 0;
    return copy;
}

static const Mount *find_mount(const MountTable *t, uint64_t id) {
    for (size_t i = 0; i < t->n; i++)
        if (t->mounts[i].id == id)
            return &t->mounts[i];
    return NULL;
}

static bool is_local(const Mount *m) {
    return is_on_disk(m) || is_in(m->type, m->type_size, local_types, ELEMENTSOF(local_types));
}

/* The path to a mount point crosses all mounts above it. */
static bool is_reached_locally(const MountTable *t, const Mount *m) {
    for (unsigned depth = 0; depth < DEPTH_MAX; depth++) {
        if (m->point_size == 1)
            return true;
        m = find_mount(t, m->parent);
        if (!m) /* invisible from this root */
            return true;
        if (!is_local(m))
            return false;
    }
    return false;
}

static int read_mounts(MountTable *t, const char *text) {
    for (const char *line = text; line; line = scan_next_line(line)) {
        Mount m = {};
        int r;

        if (!parse_line(line, &m))
            continue;
        r = array_reserve(&t->mounts, &t->allocated, t->n + 1, HEALTH_MOUNTS_MAX);
        if (r == -ENOBUFS)
            return 0;
        if (r < 0)
            return r;
        t->mounts[t->n++] = m;
    }
    return 0;
}

static FileSystem *find_system(const FileSystemTable *t, const Mount *m) {
    for (size_t i = 0; i < t->n; i++)
        if (t->systems[i].major == m->major && t->systems[i].minor == m->minor)
            return &t->systems[i];
    return NULL;
}

/* Prefers a mount of the whole file system, then the shorter path. */
static bool is_better(const Mount *m, const FileSystem *than) {
    bool is_part = m->root_size != 1;

    if (is_part != than->is_part)
        return than->is_part;
    return m->point_size < than->mount_point_size;
}

static int set_mount_point(FileSystem *s, const Mount *m) {
    char *point = unescape(m->point, m->point_size);

    if (!point)
        return -ENOMEM;
    free(s->mount_point);
    s->mount_point = point;
    s->mount_point_size = m->point_size;
    s->is_part = m->root_size != 1;
    return 0;
}

static int add_system(FileSystemTable *t, const Mount *m) {
    FileSystem s = {
        .major = m->major,
        .minor = m->minor,
        .has_subvolumes =
            is_in(m->type, m->type_size, subvolume_types, ELEMENTSOF(subvolume_types)),
    };
    int r;

    r = array_reserve(&t->systems, &t->allocated, t->n + 1, HEALTH_FILE_SYSTEMS_MAX);
    if (r >= 0)
        r = set_mount_point(&s, m);
    if (r >= 0)
        t->systems[t->n++] = s;
    return r;
}

static int take_mount(FileSystemTable *t, const MountTable *all, const Mount *m) {
    FileSystem *s = find_system(t, m);

    if ((s && !is_better(m, s)) || !is_reached_locally(all, m))
        return 0;
    return s ? set_mount_point(s, m) : add_system(t, m);
}

static void clear(FileSystemTable *t) {
    for (size_t i = 0; i < t->n; i++)
        free(t->systems[i].mount_point);
    t->n = 0;
}

void file_system_table_done(FileSystemTable *t) {
    clear(t);
    free(t->systems);
    *t = (FileSystemTable){};
}

int file_system_table_parse(FileSystemTable *t, const char *text) {
    _cleanup_(mount_table_done) MountTable all = {};
    int r;

    clear(t);
    r = read_mounts(&all, text);
    for (size_t i = 0; i < all.n && r >= 0; i++)
        if (is_on_disk(&all.mounts[i]))
            r = take_mount(t, &all, &all.mounts[i]);
    return r == -ENOBUFS ? 0 : r;
}

/* Whether another mount hides it. Each subvolume has its own device number. */
static bool is_seen(const FileSystem *s, const char *path) {
    struct stat st;

    return s->has_subvolumes ||
           (stat(path, &st) >= 0 && st.st_dev == makedev((unsigned)s->major, (unsigned)s->minor));
}

static void measure(FileSystem *s, const char *root) {
    char path[PATH_MAX];
    struct statvfs v;

    s->is_known = false;
    if ((size_t)snprintf(path, sizeof(path), "%s%s", root, s->mount_point) >= sizeof(path) ||
        !is_seen(s, path) || statvfs(path, &v) < 0)
        return;
    s->is_known = true;
    s->size = (uint64_t)v.f_blocks * v.f_frsize;
    s->used = (uint64_t)(v.f_blocks - MIN(v.f_bfree, v.f_blocks)) * v.f_frsize;
    s->available = (uint64_t)v.f_bavail * v.f_frsize;
    s->n_inodes = v.f_files;
    s->n_inodes_used = v.f_files - MIN(v.f_ffree, v.f_files);
}

/* Ordinary files, in tests, cannot report changes. */
static bool has_changed(int fd) {
    struct pollfd p = {.fd = fd, .events = POLLPRI};
    struct statfs s;

    if (fd < 0 || fstatfs(fd, &s) < 0 || s.f_type != PROC_SUPER_MAGIC)
        return true;
    return poll(&p, 1, 0) != 0;
}

int mount_list_read(MountList *l, int root_fd, const char *root, ProcText *text) {
    int r;

    if (has_changed(l->file.fd)) {
        r = proc_file_read(&l->file, root_fd, "proc/self/mountinfo", text);
        if (r >= 0)
            r = file_system_table_parse(&l->table, text->text);
        if (r < 0) {
            proc_file_close(&l->file);
            return r;
        }
    }
    for (size_t i = 0; i < l->table.n; i++)
        measure(&l->table.systems[i], root);
    return 0;
}

void mount_list_done(MountList *l) {
    proc_file_close(&l->file);
    file_system_table_done(&l->table);
}
