/* SPDX-License-Identifier: Apache-2.0 */
#include "service/archive-rule.h"

#include "basic/bounds.h"

static int refuse(const char **ret_why, const char *why, int error) {
    *ret_why = why;
    return error;
}

static bool has_control_character(const char *s) {
    for (; *s; s++)
        if ((unsigned char)*s < ' ' || *s == 0x7f)
            return true;
    return false;
}

static bool is_part(const char *part, size_t size, const char *what) {
    return size == strlen(what) && memcmp(part, what, size) == 0;
}

/* The next part of a path, and what follows it; 0: there is none. */
static size_t next_part(const char **path, const char **ret) {
    size_t size;

    *path += strspn(*path, "/");
    size = strcspn(*path, "/");
    *ret = *path;
    *path += size;
    return size;
}

int archive_path_make(const char *name, char **ret, const char **ret_why) {
    _cleanup_free_ char *path = NULL;
    size_t length = 0, size, depth = 0;
    const char *part;

    if (*name == '/')
        return refuse(ret_why, "its path is absolute", -EINVAL);
    if (strlen(name) > ARCHIVE_PATH_MAX)
        return refuse(ret_why, "its path is too long", -EINVAL);
    if (has_control_character(name))
        return refuse(ret_why, "its name has a control character", -EINVAL);
    path = calloc(1, strlen(name) + 1);
    if (!path)
        return -ENOMEM;
    while ((size = next_part(&name, &part)) > 0) {
        if (is_part(part, size, "."))
            continue;
        if (is_part(part, size, ".."))
            return refuse(ret_why, "its path has ..", -EINVAL);
        if (size > ARCHIVE_NAME_MAX || ++depth > ARCHIVE_DEPTH_MAX)
            return refuse(ret_why, "its name is too long, or its path too deep", -EINVAL);
        if (length > 0)
            path[length++] = '/';
        memcpy(path + length, part, size);
        length += size;
    }
    *ret = TAKE_PTR(path);
    return 0;
}

static size_t directories_above(const char *path) {
    size_t n = 0;

    for (; *path; path++)
        n += *path == '/';
    return n;
}

int archive_link_check(const char *path, const char *target, const char **ret_why) {
    size_t size, up = 0;
    bool has_name = false;
    const char *part;

    if (!*target || strlen(target) > ARCHIVE_PATH_MAX || has_control_character(target))
        return refuse(ret_why, "it is a link to nothing that can be", -EINVAL);
    if (*target == '/')
        return refuse(ret_why, "it is a link with an absolute target", -EINVAL);
    while ((size = next_part(&target, &part)) > 0) {
        if (is_part(part, size, "."))
            continue;
        if (!is_part(part, size, ".."))
            has_name = true;
        else if (has_name)
            return refuse(ret_why, "it is a link with .. in the middle of its target", -EINVAL);
        else
            up++;
    }
    if (up > directories_above(path))
        return refuse(ret_why, "it is a link out of the directory", -EINVAL);
    return 0;
}

int archive_count_entry(ArchiveCount *c, const ArchiveLimits *l, const char **ret_why) {
    if (c->entries >= l->entries_max)
        return refuse(ret_why, "the archive has more entries than are allowed", -EFBIG);
    c->entries++;
    return 0;
}

int archive_count_bytes(ArchiveCount *c, const ArchiveLimits *l, uint64_t bytes,
                        const char **ret_why) {
    if (bytes > l->size_max - c->size)
        return refuse(ret_why, "its files are together larger than is allowed", -EFBIG);
    c->size += bytes;
    return 0;
}

static bool is_at_or_below(const char *path, const char *directory) {
    const size_t size = strlen(directory);

    return strncmp(path, directory, size) == 0 && (!path[size] || path[size] == '/');
}

bool archive_is_program(const char *path) {
    return is_at_or_below(path, "bin");
}

mode_t archive_mode(const char *path, mode_t mode, bool keep_setuid) {
    const bool is_directory = S_ISDIR(mode);
    const mode_t special = keep_setuid ? mode & (S_ISUID | S_ISGID | S_ISVTX) : 0;

    if (!*path)
        return 0775 | S_ISVTX;
    if (streq(path, "bin") && is_directory)
        return 0755 | S_ISGID;
    if (archive_is_program(path))
        return is_directory ? (mode & 0755) | 0700 | special : 0750 | special;
    if (is_at_or_below(path, "cfg"))
        return 0770 | special;
    return (mode & 0775) | (is_directory ? 0700 : 0600) | special;
}

/* --- kinds ---------------------------------------------------------------------------------- */

static const struct {
    const char *suffix;
    ArchiveKind kind;
} suffixes[] = {
    {".tar.gz", ARCHIVE_KIND_TAR_GZIP},   {".tgz", ARCHIVE_KIND_TAR_GZIP},
    {".tar.bz2", ARCHIVE_KIND_TAR_BZIP2}, {".zip", ARCHIVE_KIND_ZIP},
    {".tar", ARCHIVE_KIND_TAR},           {".tar.xz", ARCHIVE_KIND_TAR_XZ},
    {".tar.zst", ARCHIVE_KIND_TAR_ZSTD},
};

static const char *const names[_ARCHIVE_KIND_MAX] = {
    [ARCHIVE_KIND_UNKNOWN] = "unknown",   [ARCHIVE_KIND_TAR] = "tar",
    [ARCHIVE_KIND_TAR_GZIP] = "tar-gzip", [ARCHIVE_KIND_TAR_BZIP2] = "tar-bzip2",
    [ARCHIVE_KIND_TAR_XZ] = "tar-xz",     [ARCHIVE_KIND_TAR_ZSTD] = "tar-zstd",
    [ARCHIVE_KIND_ZIP] = "zip",
};

ArchiveKind archive_kind_of(const char *name) {
    const size_t size = strlen(name);

    for (size_t i = 0; i < ELEMENTSOF(suffixes); i++) {
        const size_t n = strlen(suffixes[i].suffix);

        if (size > n && streq(name + size - n, suffixes[i].suffix))
            return suffixes[i].kind;
    }
    return ARCHIVE_KIND_UNKNOWN;
}

ArchiveKind archive_kind_from_name(const char *name) {
    ArchiveKind kind = ARCHIVE_KIND_TAR;

    while (kind < _ARCHIVE_KIND_MAX && !streq(names[kind], name))
        kind++;
    return kind < _ARCHIVE_KIND_MAX ? kind : ARCHIVE_KIND_UNKNOWN;
}

const char *archive_kind_name(ArchiveKind kind) {
    return names[kind];
}
