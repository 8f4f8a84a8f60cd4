/* SPDX-License-Identifier: Apache-2.0 */
/* The script of a run_script request: decompressed, verified, in a sealed memfd. */
#pragma once

#include "basic/macro.h"

/* `compression` is "gzip" (a zlib or a gzip stream, both are in use) or NULL. The checksum is the
 * SHA-256 of the decompressed bytes in hex. *ret is a memfd that nobody can write any more.
 *
 * -EOPNOTSUPP: unknown compression; -EBADMSG: not such a stream; -EFBIG: larger than
 * SCRIPT_SIZE_MAX; -EKEYREJECTED: another checksum. */
int script_source_open(const void *data, size_t size, const char *compression, const char *checksum,
                       int *ret_fd);

/* Of a memfd that somebody else has filled: nobody can write it any more then. A checksum of NULL
 * is none. -EFBIG, -EKEYREJECTED as above. */
int script_source_verify(int fd, const char *checksum);

/* What is wrong, for people; names no content. */
const char *script_source_strerror(int error) _const_;
