/* SPDX-License-Identifier: Apache-2.0 */
/* Unpacks an archive into an empty directory. */
#pragma once

#include "service/archive-rule.h"

typedef struct UnpackResult {
    ArchiveCount count;
    uint64_t n_stripped; /* files that have lost setuid or setgid */
    char *problem;       /* what is wrong with which entry; the caller frees */
} UnpackResult;

/* -EINVAL, with the problem: the archive has an entry that is not unpacked: a path or a link out of
 * the directory, a device, a FIFO, a socket, or one in another's way. -EBADMSG: it is damaged, or
 * of another kind. -EFBIG: more than the limits allow. -ENOSPC: the disk is full, or would be.
 * What was unpacked before stays. */
int unpack_archive(int archive_fd, ArchiveKind kind, int root_fd, const ArchiveLimits *l,
                   UnpackResult *ret);
