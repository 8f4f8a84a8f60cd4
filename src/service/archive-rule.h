/* SPDX-License-Identifier: Apache-2.0 */
/* What of an archive is unpacked, and how. Pure: an entry goes in, a place below the directory or a
 * refusal comes out. That no link on the way is followed is the unpacker's part. */
#pragma once

#include <sys/stat.h>

#include "basic/macro.h"

typedef struct ArchiveLimits {
    uint64_t size_max;    /* of all files, in bytes */
    uint64_t entries_max; /* files, directories and links */
    bool keep_setuid;     /* bits setuid, setgid and sticky stay */
} ArchiveLimits;

typedef struct ArchiveCount {
    uint64_t size, entries;
} ArchiveCount;

/* The path of an entry below the directory, without "." and empty parts; "" is the directory
 * itself. -EINVAL, with the reason as a static text: absolute, with "..", too long, too deep, or
 * with a control character. The caller frees. */
int archive_path_make(const char *name, char **ret, const char **ret_why);

/* Whether a symbolic link at `path` (as made above) may have this target: relative, and ".." only
 * at its beginning and no more often than there are directories above the link. So it cannot leave
 * the directory, even by way of other links. -EINVAL with the reason. */
int archive_link_check(const char *path, const char *target, const char **ret_why);

/* -EFBIG: more than one of the limits allows; *ret_why says which. */
int archive_count_entry(ArchiveCount *c, const ArchiveLimits *l, const char **ret_why);
int archive_count_bytes(ArchiveCount *c, const ArchiveLimits *l, uint64_t bytes,
                        const char **ret_why);

/* The mode of what lies at `path`: that of the archive, without the right of others to write, and
 * with those of the owner to read and write; programs in bin, settings in cfg, and the directories
 * have those that hooks rely on (reference of the Python agent). The group of the hooks may make
 * files in the service's directory, but not move away bin, in which root runs a hook, and change
 * nothing in there. `mode` with its type, S_IFREG or S_IFDIR. */
mode_t archive_mode(const char *path, mode_t mode, bool keep_setuid) _pure_;

/* Whether a file of this path is a hook, or belongs to hooks: it lies in bin. */
bool archive_is_program(const char *path) _pure_;

typedef enum ArchiveKind {
    ARCHIVE_KIND_UNKNOWN,
    ARCHIVE_KIND_TAR,
    ARCHIVE_KIND_TAR_GZIP,
    ARCHIVE_KIND_TAR_BZIP2,
    ARCHIVE_KIND_TAR_XZ,
    ARCHIVE_KIND_TAR_ZSTD,
    ARCHIVE_KIND_ZIP,
    _ARCHIVE_KIND_MAX,
} ArchiveKind;

/* By the end of the file's name. */
ArchiveKind archive_kind_of(const char *name) _pure_;
/* By the name of the kind, as archive_kind_name() has it. */
ArchiveKind archive_kind_from_name(const char *name) _pure_;
const char *archive_kind_name(ArchiveKind kind) _const_;
