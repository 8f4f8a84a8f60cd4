/* SPDX-License-Identifier: Apache-2.0 */
/* libarchive reads; what is made of an entry is decided by service/archive-rule.h and done by
 * dcm-unpack/tree.h. Owners, ACLs, attributes and flags of the archive are ignored. */
#include "dcm-unpack/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/utf8.h"
#include "dcm-unpack/tree.h"

#define BLOCK_SIZE ((size_t)64 * 1024)
#define FREE_LOOK ((uint64_t)16 * 1024 * 1024) /* written between two looks at the free space */

typedef struct Unpacker {
    struct archive *archive;
    int root_fd;
    const ArchiveLimits *limits;
    UnpackResult *result;
    uint64_t unlooked; /* bytes written since the last look */
} Unpacker;

static inline void archive_free_p(struct archive **a) {
    if (*a)
        (void)archive_read_free(*a);
}

/* An errno's text, or a reason of its own. */
static int fail(Unpacker *u, const char *name, const char *why, int error) {
    if (asprintf(&u->result->problem, "%.*s: %s", UTF8_SHORT(strempty(name), 200), why) < 0) {
        u->result->problem = NULL;
        return -ENOMEM;
    }
    return error;
}

static int fail_errno(Unpacker *u, const char *path, int r) {
    switch (r) {
    case -ENOMEM:
        return r;
    case -ENOSPC:
    case -EDQUOT:
        return fail(u, path, "the disk is full", -ENOSPC);
    case -ELOOP:
    case -ENOTDIR:
    case -EISDIR:
    case -EEXIST:
        return fail(u, path, "another entry of the archive is in its way", -EINVAL);
    case -EMLINK:
    case -ENOENT:
        return fail(u, path, "it is another name of what is no file of the archive", -EINVAL);
    default:
        return fail(u, path, strerror(-r), r);
    }
}

static int damaged(Unpacker *u, const char *path) {
    return fail(u, path ?: "the archive",
                archive_error_string(u->archive) ?: "it is damaged, or of another kind", -EBADMSG);
}

/* --- files ---------------------------------------------------------------------------------- */

static int look_at_free_space(Unpacker *u, const char *path, uint64_t bytes) {
    struct statvfs st;

    u->unlooked += bytes;
    if (u->unlooked < FREE_LOOK)
        return 0;
    u->unlooked = 0;
    if (fstatvfs(u->root_fd, &st) < 0)
        return fail_errno(u, path, -errno);
    if ((uint64_t)st.f_bavail * st.f_frsize < ARCHIVE_FREE_MIN)
        return fail(u, path, "the disk would be full", -ENOSPC);
    return 0;
}

static int write_at(int fd, const char *data, size_t size, int64_t offset) {
    while (size > 0) {
        ssize_t n = pwrite(fd, data, size, offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        data += n;
        size -= (size_t)n;
        offset += n;
    }
    return 0;
}

/* Holes count as well: programs that read the file later do not know of them. */
static int copy_content(Unpacker *u, const char *path, int fd) {
    uint64_t end = 0;
    const char *why = NULL;

    for (;;) {
        const void *data;
        size_t size;
        int64_t offset;
        const int r = archive_read_data_block(u->archive, &data, &size, &offset);
        int k;

        if (r == ARCHIVE_EOF)
            break;
        if (r < ARCHIVE_WARN)
            return damaged(u, path);
        if (offset < 0 || (uint64_t)offset < end || size > INT64_MAX - (uint64_t)offset)
            return fail(u, path, "its content is not in order", -EBADMSG);
        if (archive_count_bytes(&u->result->count, u->limits, (uint64_t)offset + size - end, &why) <
            0)
            return fail(u, path, why, -EFBIG);
        k = write_at(fd, data, size, offset);
        if (k < 0)
            return fail_errno(u, path, k);
        TRY(look_at_free_space(u, path, size));
        end = (uint64_t)offset + size;
    }
    return ftruncate(fd, (off_t)end) < 0 ? fail_errno(u, path, -errno) : 0;
}

static int finish_file(Unpacker *u, struct archive_entry *e, const char *path, int fd) {
    const mode_t mode = archive_entry_perm(e);
    const struct timespec times[] = {{.tv_nsec = UTIME_OMIT},
                                     {archive_entry_mtime(e), archive_entry_mtime_nsec(e)}};

    if (mode & (S_ISUID | S_ISGID) && !u->limits->keep_setuid)
        u->result->n_stripped++;
    if (fchmod(fd, archive_mode(path, S_IFREG | mode, u->limits->keep_setuid)) < 0)
        return fail_errno(u, path, -errno);
    if (archive_entry_mtime_is_set(e))
        (void)futimens(fd, times); /* a time that no file can have */
    return 0;
}

static int unpack_file(Unpacker *u, struct archive_entry *e, const char *path) {
    _cleanup_close_ int fd = -1;
    int r;

    r = *path ? tree_make_file(u->root_fd, path, &fd) : -EISDIR;
    if (r < 0)
        return fail_errno(u, path, r);
    TRY(copy_content(u, path, fd));
    return finish_file(u, e, path, fd);
}

/* --- entries -------------------------------------------------------------------------------- */

static int unpack_hard_link(Unpacker *u, const char *path, const char *old_name) {
    _cleanup_free_ char *old = NULL;
    const char *why = NULL;
    int r;

    r = archive_path_make(old_name, &old, &why);
    if (r == -EINVAL)
        return fail(u, path, "it is another name of a file outside of the directory", r);
    TRY(r);
    r = *path && *old ? tree_make_hard_link(u->root_fd, path, old) : -EMLINK;
    return r < 0 ? fail_errno(u, path, r) : 0;
}

static int unpack_link(Unpacker *u, struct archive_entry *e, const char *path) {
    const char *target = archive_entry_symlink(e) ?: archive_entry_symlink_utf8(e);
    const char *why = NULL;
    int r;

    if (archive_link_check(path, strempty(target), &why) < 0)
        return fail(u, path, why, -EINVAL);
    r = *path ? tree_make_link(u->root_fd, path, target) : -EISDIR;
    return r < 0 ? fail_errno(u, path, r) : 0;
}

static int unpack_directory(Unpacker *u, struct archive_entry *e, const char *path) {
    const mode_t mode = archive_mode(path, S_IFDIR | archive_entry_perm(e), u->limits->keep_setuid);
    const int r = tree_make_directory(u->root_fd, path, mode);

    return r < 0 ? fail_errno(u, path, r) : 0;
}

static int unpack_entry(Unpacker *u, struct archive_entry *e) {
    const char *name = archive_entry_pathname(e) ?: archive_entry_pathname_utf8(e);
    const char *old_name = archive_entry_hardlink(e) ?: archive_entry_hardlink_utf8(e);
    const char *why = NULL;
    _cleanup_free_ char *path = NULL;
    int r;

    if (!name)
        return fail(u, "the archive", "it has an entry without a name that can be read", -EINVAL);
    if (archive_count_entry(&u->result->count, u->limits, &why) < 0)
        return fail(u, name, why, -EFBIG);
    r = archive_path_make(name, &path, &why);
    if (r < 0)
        return r == -EINVAL ? fail(u, name, why, r) : r;
    if (old_name)
        return unpack_hard_link(u, path, old_name);
    switch (archive_entry_filetype(e)) {
    case AE_IFREG:
        return unpack_file(u, e, path);
    case AE_IFDIR:
        return unpack_directory(u, e, path);
    case AE_IFLNK:
        return unpack_link(u, e, path);
    default:
        return fail(u, name, "it is neither a file nor a directory nor a link", -EINVAL);
    }
}

/* --- archives ------------------------------------------------------------------------------- */

/* Only what the file's name says: another format may be meant to confuse. */
static int support(struct archive *a, ArchiveKind kind) {
    static int (*const filters[_ARCHIVE_KIND_MAX])(struct archive *) = {
        [ARCHIVE_KIND_TAR_GZIP] = archive_read_support_filter_gzip,
        [ARCHIVE_KIND_TAR_BZIP2] = archive_read_support_filter_bzip2,
        [ARCHIVE_KIND_TAR_XZ] = archive_read_support_filter_xz,
        [ARCHIVE_KIND_TAR_ZSTD] = archive_read_support_filter_zstd,
    };

    if (filters[kind] && filters[kind](a) != ARCHIVE_OK)
        return -EOPNOTSUPP;
    if (kind == ARCHIVE_KIND_ZIP)
        return archive_read_support_format_zip(a) == ARCHIVE_OK ? 0 : -EOPNOTSUPP;
    return archive_read_support_format_tar(a) == ARCHIVE_OK ? 0 : -EOPNOTSUPP;
}

static int unpack_all(Unpacker *u) {
    struct archive_entry *e;

    for (;;) {
        const int r = archive_read_next_header(u->archive, &e);

        if (r == ARCHIVE_EOF)
            return 0;
        if (r < ARCHIVE_WARN)
            return damaged(u, NULL);
        TRY(unpack_entry(u, e));
    }
}

int unpack_archive(int archive_fd, ArchiveKind kind, int root_fd, const ArchiveLimits *l,
                   UnpackResult *ret) {
    _cleanup_(archive_free_p) struct archive *a = archive_read_new();
    Unpacker u = {a, root_fd, l, ret, 0};

    *ret = (UnpackResult){};
    if (!a)
        return -ENOMEM;
    if (support(a, kind) < 0)
        return fail(&u, "the archive", "libarchive cannot read this kind", -EOPNOTSUPP);
    if (archive_read_open_fd(a, archive_fd, BLOCK_SIZE) != ARCHIVE_OK)
        return damaged(&u, NULL);
    TRY(unpack_all(&u));
    if (ret->count.entries == 0)
        return fail(&u, "the archive", "it is empty", -EBADMSG);
    return fchmod(root_fd, archive_mode("", S_IFDIR, false)) < 0 ? -errno : 0;
}
