/* SPDX-License-Identifier: Apache-2.0 */
/* The script of a run_script request: decompressed, verified, in a sealed memfd. */
#pragma once

#include "basic/macro.h"

/* `compression` is "gzip" (for zlib and gzip streams, as managers send both) or NULL. The checksum
 * is the SHA-256 of the decompressed bytes in hex. *ret is an immutable memfd. -EOPNOTSUPP: unknown
 * compression; -EBADMSG: invalid stream; -EFBIG: larger than SCRIPT_SIZE_MAX; -EKEYREJECTED: the
 * checksum differs. */
int script_source_open(const void *data, size_t size, const char *compression, const char *checksum,
                       int *ret_fd);

/* Seals and checks a memfd that another process has filled. `checksum` may be NULL. -EFBIG,
 * -EKEYREJECTED as above. */
int script_source_verify(int fd, const char *checksum);

/* The error text for people; contains no content of the script. */
const char *script_source_strerror(int error) _const_;
