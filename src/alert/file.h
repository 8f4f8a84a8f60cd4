/* SPDX-License-Identifier: Apache-2.0 */
/* How far an alert file was read, such that the place is found again after the file was rotated,
 * copied or cut. */
#pragma once

#include "basic/bounds.h"
#include "basic/macro.h"
#include "basic/sha256.h"

#define ALERT_MARK_TEXT_SIZE 128

typedef struct AlertMark {
    uint64_t inode;
    uint64_t offset;
    char hash[SHA256_HEX_SIZE]; /* of bytes at the beginning, and of those before the offset */
    bool in_line;               /* the byte before the offset ends no line */
    uint64_t time_usec;         /* other files that were written later have not been read yet */
} AlertMark;

int alert_mark_make(int fd, uint64_t offset, AlertMark *ret);
/* Whether the file has what was read; at offset 0 the same inode decides. Negative: not known. */
int alert_mark_matches(const AlertMark *m, int fd);

void alert_mark_to_string(const AlertMark *m, char ret[static ALERT_MARK_TEXT_SIZE]);
int alert_mark_from_string(const char *text, AlertMark *ret);

/* A regular file, never waited for. */
int alert_file_open(const char *path, int *ret_fd);
/* The file that the mark belongs to, somewhere near `path`: beside it, or where OSSEC keeps those
 * of other days, in YYYY/MON below that. -ENOENT: it is not there. */
int alert_file_find(const char *path, const AlertMark *m, int *ret_fd);

/* Files of alerts, by their inodes. */
typedef struct AlertFiles {
    size_t n;
    uint64_t inodes[ALERT_FILES_BETWEEN_MAX];
} AlertFiles;

/* The alert file near `path` that is to be read after what is before the mark: of those that were
 * written later, are no copies of that, and are not among `done`, the earliest; if there is none,
 * or `done` is full, the one at `path`. */
int alert_file_find_next(const char *path, const AlertMark *m, const AlertFiles *done, int *ret_fd);
