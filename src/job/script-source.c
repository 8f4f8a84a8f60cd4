/* SPDX-License-Identifier: Apache-2.0 */
#include "job/script-source.h"

#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/memfd-util.h"
#include "basic/sha256.h"

#define CHUNK ((size_t)32 * 1024)
#define WINDOW_ANY_HEADER (15 + 32) /* zlib.h: accepts zlib and gzip headers */

typedef struct Sink {
    int fd;
    size_t size;
    Sha256 hash;
} Sink;

static int sink_write(Sink *s, const void *data, size_t size) {
    if (s->size + size > SCRIPT_SIZE_MAX)
        return -EFBIG;
    s->size += size;
    sha256_update(&s->hash, data, size);
    return write_full(s->fd, data, size);
}

static int inflate_all(z_stream *z, Sink *sink) {
    uint8_t chunk[CHUNK];
    int code;

    do {
        z->next_out = chunk;
        z->avail_out = sizeof(chunk);
        code = inflate(z, Z_NO_FLUSH);
        if (code == Z_MEM_ERROR)
            return -ENOMEM;
        if (code != Z_OK && code != Z_STREAM_END) /* Z_BUF_ERROR: the stream is truncated */
            return -EBADMSG;
        TRY(sink_write(sink, chunk, sizeof(chunk) - z->avail_out));
    } while (code != Z_STREAM_END);
    return z->avail_in > 0 ? -EBADMSG : 0;
}

static int decompress(const void *data, size_t size, Sink *sink) {
    z_stream z = {.next_in = (Bytef *)data, .avail_in = (uInt)size};
    int r;

    if (inflateInit2(&z, WINDOW_ANY_HEADER) != Z_OK)
        return -ENOMEM;
    r = inflate_all(&z, sink);
    (void)inflateEnd(&z);
    return r;
}

int script_source_open(const void *data, size_t size, const char *compression, const char *checksum,
                       int *ret_fd) {
    _cleanup_close_ int fd = -1;
    char hash[SHA256_HEX_SIZE];
    Sink sink = {};

    if (size > UINT32_MAX)
        return -EFBIG;
    if (!isempty(compression) && strcasecmp(compression, "gzip") != 0)
        return -EOPNOTSUPP;
    TRY(memfd_new("script", &fd));
    sink.fd = fd;
    sha256_init(&sink.hash);
    TRY(isempty(compression) ? sink_write(&sink, data, size) : decompress(data, size, &sink));
    sha256_final_hex(&sink.hash, hash);
    if (strcasecmp(hash, checksum) != 0)
        return -EKEYREJECTED;
    TRY(memfd_seal(fd));
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static int hash_file(int fd, char ret[static SHA256_HEX_SIZE]) {
    uint8_t chunk[CHUNK];
    off_t offset = 0;
    Sha256 hash;
    ssize_t n;

    sha256_init(&hash);
    while ((n = pread(fd, chunk, sizeof(chunk), offset)) > 0) {
        sha256_update(&hash, chunk, (size_t)n);
        offset += n;
    }
    if (n < 0)
        return -errno;
    sha256_final_hex(&hash, ret);
    return 0;
}

int script_source_verify(int fd, const char *checksum) {
    char hash[SHA256_HEX_SIZE];
    struct stat st;

    TRY(memfd_seal(fd));
    if (fstat(fd, &st) < 0)
        return -errno;
    if ((uint64_t)st.st_size > SCRIPT_SIZE_MAX)
        return -EFBIG;
    if (isempty(checksum))
        return 0;
    TRY(hash_file(fd, hash));
    return strcasecmp(hash, checksum) == 0 ? 0 : -EKEYREJECTED;
}

const char *script_source_strerror(int error) {
    switch (error) {
    case -EOPNOTSUPP:
        return "The compression of the script is not supported; only 'gzip' is";
    case -EBADMSG:
        return "The script is not a valid zlib or gzip stream";
    case -EFBIG:
        return "The script is too large";
    case -EKEYREJECTED:
        return "The checksum of the script does not match";
    default:
        return NULL;
    }
}
