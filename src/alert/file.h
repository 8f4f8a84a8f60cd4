/* SPDX-License-Identifier: Apache-2.0 */
/* A position in an alert file that can be found again after the file was rotated, copied or
 * truncated. */
#pragma once

#include "basic/bounds.h"
#include "basic/macro.h"
#include "basic/sha256.h"

#define ALERT_MARK_TEXT_SIZE 128

typedef struct AlertMark {
    uint64_t inode;
    uint64_t offset;
    char hash[SHA256_HEX_SIZE]; /* over bytes at the beginning, and those before the offset */
    bool in_line;               /* the byte before the offset does not end a line */
    uint64_t time_usec;         /* other files that were written later are still unread */
} AlertMark;

int alert_mark_make(int fd, uint64_t offset, AlertMark *ret);
/* Whether the content of the file matches the mark; at offset 0 the inode decides. Negative:
 * unknown. */
int alert_mark_matches(const AlertMark *m, int fd);
/* Makes the mark behind `size` bytes that were read at `m`. -ESTALE: the file was truncated since;
 * what is at `m` now are other bytes, or the bytes before it are others. */
int alert_mark_advance(const AlertMark *m, int fd, const char *read, size_t size, AlertMark *ret);

void alert_mark_to_string(const AlertMark *m, char ret[static ALERT_MARK_TEXT_SIZE]);
int alert_mark_from_string(const char *text, AlertMark *ret);

/* Opens a regular file without blocking. */
int alert_file_open(const char *path, int *ret_fd);
/* Finds the file of the mark near `path`: in the same directory, or where OSSEC keeps older files,
 * in YYYY/MON below it. -ENOENT: not found. */
int alert_file_find(const char *path, const AlertMark *m, int *ret_fd);

/* A set of alert files, by inode. */
typedef struct AlertFiles {
    size_t n;
    uint64_t inodes[ALERT_FILES_BETWEEN_MAX];
} AlertFiles;

/* Finds the alert file near `path` to be read after that of the mark: the earliest of those written
 * later that are neither copies of it nor among `done`. If there is none, or `done` is full, opens
 * the one at `path`. */
int alert_file_find_next(const char *path, const AlertMark *m, const AlertFiles *done, int *ret_fd);
