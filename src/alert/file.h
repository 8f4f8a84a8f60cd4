/* SPDX-License-Identifier: Apache-2.0 */
/* How far an alert file was read, such that the place is found again after the file was rotated,
 * copied or cut. */
#pragma once

#include "basic/macro.h"
#include "basic/sha256.h"

#define ALERT_MARK_TEXT_SIZE 128

typedef struct AlertMark {
    uint64_t inode;
    uint64_t offset;
    char hash[SHA256_HEX_SIZE]; /* of bytes at the beginning, and of those before the offset */
    bool in_line;               /* the byte before the offset ends no line */
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
