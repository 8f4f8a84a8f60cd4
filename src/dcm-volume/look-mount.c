/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-volume/look-mount.h"

#include <libmount/libmount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include "basic/array.h"
#include "basic/bounds.h"

static inline void unref_tablep(struct libmnt_table **t) {
    mnt_unref_table(*t);
}

static inline void free_iterp(struct libmnt_iter **i) {
    mnt_free_iter(*i);
}

Block *find_block_by_number(const Facts *f, dev_t number) {
    for (size_t i = 0; i < f->n_blocks; i++)
        if (f->blocks[i].major == major(number) && f->blocks[i].minor == minor(number))
            return &f->blocks[i];
    return NULL;
}

static Block *find_by_path(const Facts *f, const char *path) {
    struct stat st;

    if (!path || path[0] != '/' || stat(path, &st) < 0 || !S_ISBLK(st.st_mode))
        return NULL;
    return find_block_by_number(f, st.st_rdev);
}

/* btrfs has a device number of its own, which belongs to no device: its source says one. */
static Block *find_block(const Facts *f, struct libmnt_fs *fs) {
    return find_block_by_number(f, mnt_fs_get_devno(fs)) ?: find_by_path(f, mnt_fs_get_source(fs));
}

/* Asks only file systems on a block device: the server of another kind may not answer, and then
 * nothing could end this process. Zero: not known, or something else is mounted over it. */
static void take_size(struct libmnt_fs *fs, Mount *m) {
    struct stat st;
    struct statvfs v;

    if (!m->block || stat(m->target, &st) < 0 || statvfs(m->target, &v) < 0)
        return;
    /* each subvolume of btrfs has a number of its own */
    if (st.st_dev != mnt_fs_get_devno(fs) && !streq(m->fs_type, "btrfs"))
        return;
    m->size_bytes = (uint64_t)v.f_blocks * v.f_frsize;
    m->used_bytes = (uint64_t)(v.f_blocks - v.f_bfree) * v.f_frsize;
}

static int take_mount(struct libmnt_fs *fs, const Facts *f, Mount *m) {
    const Block *b = find_block(f, fs);

    TRY(free_and_strdup(&m->source, strempty(mnt_fs_get_source(fs))));
    TRY(free_and_strdup(&m->target, strempty(mnt_fs_get_target(fs))));
    TRY(free_and_strdup(&m->fs_type, strempty(mnt_fs_get_fstype(fs))));
    TRY(free_and_strdup(&m->options, strempty(mnt_fs_get_options(fs))));
    TRY(free_and_strdup(&m->block, b ? b->name : NULL));
    m->read_only = mnt_fs_match_options(fs, "ro") == 1;
    take_size(fs, m);
    return 0;
}

static int add_mount(struct libmnt_fs *fs, Facts *f, size_t *allocated) {
    Mount *m;

    if (array_reserve(&f->mounts, allocated, f->n_mounts + 1, MOUNTS_MAX) < 0)
        return f->n_mounts < MOUNTS_MAX ? -ENOMEM : -E2BIG;
    m = &f->mounts[f->n_mounts++];
    *m = (Mount){};
    return take_mount(fs, f, m);
}

int look_mounts_file(Facts *f, const char *mountinfo) {
    _cleanup_(unref_tablep) struct libmnt_table *table = mnt_new_table();
    _cleanup_(free_iterp) struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
    struct libmnt_fs *fs;
    size_t allocated = 0;

    if (!table || !iter)
        return -ENOMEM;
    TRY(mnt_table_parse_file(table, mountinfo));
    while (mnt_table_next_fs(table, iter, &fs) == 0)
        TRY(add_mount(fs, f, &allocated));
    return 0;
}

int look_swaps_file(Facts *f, const char *swaps) {
    _cleanup_(unref_tablep) struct libmnt_table *table = mnt_new_table();
    _cleanup_(free_iterp) struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
    struct libmnt_fs *fs;

    if (!table || !iter)
        return -ENOMEM;
    TRY(mnt_table_parse_swaps(table, swaps));
    while (mnt_table_next_fs(table, iter, &fs) == 0) {
        Block *b = find_by_path(f, mnt_fs_get_source(fs));

        if (b)
            b->swap = true;
    }
    return 0;
}

int look_mounts(Facts *f) {
    return look_mounts_file(f, "/proc/1/mountinfo");
}

int look_swaps(Facts *f) {
    /* absent where the kernel has no swap */
    int r = look_swaps_file(f, "/proc/swaps");

    return r == -ENOENT ? 0 : r;
}
