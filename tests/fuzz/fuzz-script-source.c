/* SPDX-License-Identifier: Apache-2.0 */
/* A script: the first byte says whether the rest is plain or a stream. */
#include <sys/stat.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/sha256.h"
#include "fuzz.h"
#include "job/script-source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_close_ int fd = -1;
    char hash[SHA256_HEX_SIZE];
    struct stat st;
    bool plain;
    int r;

    if (size == 0)
        return 0;
    plain = data[0] & 1;
    sha256_hex(plain ? data + 1 : data, plain ? size - 1 : 0, hash); /* "" or the script */
    r = script_source_open(data + 1, size - 1, plain ? NULL : "gzip", hash, &fd);
    CHECK(r == 0 || !plain);
    CHECK(r == 0 || r == -EBADMSG || r == -EFBIG || r == -EKEYREJECTED);
    CHECK(r == 0 ? fstat(fd, &st) == 0 && (size_t)st.st_size == (plain ? size - 1 : 0) : fd < 0);
    return 0;
}
