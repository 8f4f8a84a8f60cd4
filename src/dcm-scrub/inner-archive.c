/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-scrub/inner-archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "basic/fd-util.h"

#define PIECE_SIZE ((size_t)64 * 1024)

typedef struct Inner {
    struct archive *archive;
    int fd, error; /* of writing to it */
} Inner;

static la_ssize_t on_write(struct archive *a, void *userdata, const void *data, size_t size) {
    Inner *inner = userdata;
    const int r = write_full(inner->fd, data, size);

    if (r >= 0)
        return (la_ssize_t)size;
    inner->error = r;
    archive_set_error(a, -r, "write");
    return -1;
}

static int failed(const Inner *inner) {
    const int error = archive_errno(inner->archive);

    return inner->error < 0 ? inner->error : error > 0 ? -error : -EIO;
}

/* What the file has more than when its header was written is left out, what it has less is zeros:
 * logs grow. */
static int copy(const Inner *inner, int fd, uint64_t size) {
    char piece[PIECE_SIZE];

    while (size > 0) {
        const ssize_t n = read(fd, piece, MIN((uint64_t)sizeof(piece), size));

        if (n < 0)
            return -errno;
        if (n == 0)
            return 0;
        if (archive_write_data(inner->archive, piece, (size_t)n) < 0)
            return failed(inner);
        size -= (uint64_t)n;
    }
    return 0;
}

static int fill_link(struct archive_entry *e, const Visit *v) {
    char to[PATH_MAX];
    const ssize_t n = readlinkat(v->dir_fd, v->name, to, sizeof(to) - 1);

    if (n < 0)
        return -errno;
    to[n] = 0;
    archive_entry_set_symlink(e, to);
    return 0;
}

static int write_entry(const Inner *inner, struct archive_entry *e, const Visit *v) {
    _cleanup_close_ int fd = -1;
    struct stat st = *v->st;

    if (S_ISREG(st.st_mode)) {
        TRY(beneath_open_file(v->dir_fd, v->name, &fd));
        if (fstat(fd, &st) < 0)
            return -errno;
    }
    archive_entry_set_pathname(e, v->path);
    archive_entry_copy_stat(e, &st);
    archive_entry_set_nlink(e, 1);
    if (S_ISLNK(st.st_mode))
        TRY(fill_link(e, v));
    if (!S_ISREG(st.st_mode))
        archive_entry_set_size(e, 0);
    if (archive_write_header(inner->archive, e) < ARCHIVE_WARN)
        return failed(inner);
    return fd < 0 ? 0 : copy(inner, fd, (uint64_t)st.st_size);
}

static int archive_it(const Visit *v, void *userdata) {
    struct archive_entry *e;
    int r;

    if (v->stage == VISIT_LEAVE || S_ISSOCK(v->st->st_mode))
        return 0;
    e = archive_entry_new();
    if (!e)
        return -ENOMEM;
    r = write_entry(userdata, e, v);
    archive_entry_free(e);
    return r == -ENOENT ? 0 : r; /* it has gone meanwhile */
}

int inner_archive_write(const Beneath *b, const Plan *p, int fd) {
    Inner inner = {.archive = archive_write_new(), .fd = fd};
    int r = 0;

    if (!inner.archive)
        return -ENOMEM;
    if (archive_write_set_format_pax_restricted(inner.archive) != ARCHIVE_OK ||
        archive_write_open(inner.archive, &inner, NULL, on_write, NULL) != ARCHIVE_OK)
        r = failed(&inner);
    for (size_t i = 0; i < p->n && r >= 0; i++)
        r = beneath_walk(b, p->items[i].path, archive_it, &inner);
    if (r >= 0 && archive_write_close(inner.archive) != ARCHIVE_OK)
        r = failed(&inner);
    if (r < 0)
        (void)archive_write_fail(inner.archive); /* no end that a reader takes for whole */
    (void)archive_write_free(inner.archive);
    return r;
}
