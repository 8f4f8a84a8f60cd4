/* SPDX-License-Identifier: Apache-2.0 */
/* What an object holds, by its first bytes: names say nothing about it. */
#pragma once

#include "basic/macro.h"

typedef enum ContentType {
    CONTENT_OTHER,
    CONTENT_AGE,       /* age-encryption.org/v1 */
    CONTENT_ZSTD,      /* RFC 8878 */
    CONTENT_ZSTD_OURS, /* the same, behind a frame that says that dcm-backup compressed it */
    CONTENT_ZIP,
    CONTENT_GZIP,
    CONTENT_TAR, /* POSIX.1-1988 and later */
} ContentType;

#define CONTENT_PEEK ((size_t)512) /* so much of the beginning decides */

ContentType content_type_of(const void *data, size_t size) _pure_;
/* Whether a tar archive of that beginning is of the root directory: its names begin with "./". */
bool content_is_root(const void *data, size_t size) _pure_;
/* "age", "zstd" and so on; "other" */
const char *content_type_name(ContentType type) _const_;
