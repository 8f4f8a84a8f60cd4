/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that a script arrives as it was sent, plain or compressed, that its checksum decides, that
 * no stream makes more of it than the bound, and that nobody can change it any more. */
#include <fcntl.h>
#include <glib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/sha256.h"
#include "job/script-source.h"

#define SCRIPT "#!/bin/sh\necho hello\n"

static GByteArray *compress_bytes(const void *data, size_t size, int window) {
    GByteArray *out = g_byte_array_new();
    z_stream z = {.next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)size};

    g_assert_cmpint(deflateInit2(&z, 9, Z_DEFLATED, window, 9, Z_DEFAULT_STRATEGY), ==, Z_OK);
    g_byte_array_set_size(out, (guint)deflateBound(&z, size));
    z.next_out = out->data;
    z.avail_out = out->len;
    g_assert_cmpint(deflate(&z, Z_FINISH), ==, Z_STREAM_END);
    g_byte_array_set_size(out, (guint)z.total_out);
    g_assert_cmpint(deflateEnd(&z), ==, Z_OK);
    return out;
}

#define ZLIB 15
#define GZIP (15 + 16)
#define RAW (-15)

static int open_script(const void *data, size_t size, const char *compression, const void *script,
                       size_t script_size, int *ret) {
    char hash[SHA256_HEX_SIZE];

    sha256_hex(script, script_size, hash);
    return script_source_open(data, size, compression, hash, ret);
}

static void assert_content(int fd, const void *script, size_t size) {
    g_autofree char *buf = g_malloc(size + 1);

    g_assert_cmpint(pread(fd, buf, size + 1, 0), ==, size);
    g_assert_cmpmem(buf, size, script, size);
}

static void test_good(void) {
    static const size_t sizes[] = {0, 1, 20, 32768, 32769, 300000};

    for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
        g_autofree char *script = g_malloc(sizes[i] + 1);
        g_autoptr(GByteArray) zlib = NULL;
        g_autoptr(GByteArray) gzip = NULL;
        const struct {
            const void *data;
            size_t size;
            const char *compression;
        } cases[] = {
            {script, sizes[i], NULL}, {script, sizes[i], ""}, {NULL, 0, "gzip"}, {NULL, 0, "GZip"}};

        for (size_t k = 0; k < sizes[i]; k++)
            script[k] = (char)(k * 31 % 251);
        zlib = compress_bytes(script, sizes[i], ZLIB);
        gzip = compress_bytes(script, sizes[i], GZIP);
        for (size_t k = 0; k < ELEMENTSOF(cases); k++) {
            const GByteArray *stream = k == 2 ? zlib : gzip;
            _cleanup_close_ int fd = -1;

            g_assert_cmpint(open_script(cases[k].data ?: stream->data,
                                        cases[k].data ? cases[k].size : stream->len,
                                        cases[k].compression, script, sizes[i], &fd),
                            ==, 0);
            assert_content(fd, script, sizes[i]);
        }
    }
}

static void test_bad(void) {
    g_autoptr(GByteArray) zlib = compress_bytes(SCRIPT, strlen(SCRIPT), ZLIB);
    g_autoptr(GByteArray) gzip = compress_bytes(SCRIPT, strlen(SCRIPT), GZIP);
    g_autoptr(GByteArray) second = compress_bytes(SCRIPT, strlen(SCRIPT), GZIP);
    g_autoptr(GByteArray) raw = compress_bytes(SCRIPT, strlen(SCRIPT), RAW);
    int fd = -1;

    for (guint n = 0; n < zlib->len; n++) /* cut off anywhere */
        g_assert_cmpint(open_script(zlib->data, n, "gzip", SCRIPT, strlen(SCRIPT), &fd), ==,
                        -EBADMSG);
    for (guint n = 0; n < gzip->len; n++)
        g_assert_cmpint(open_script(gzip->data, n, "gzip", SCRIPT, strlen(SCRIPT), &fd), ==,
                        -EBADMSG);
    for (guint n = 0; n < zlib->len; n++) { /* one byte changed anywhere */
        int r;

        zlib->data[n] ^= 0x55;
        r = open_script(zlib->data, zlib->len, "gzip", SCRIPT, strlen(SCRIPT), &fd);
        g_assert_cmpint(r, ==, -EBADMSG);
        zlib->data[n] ^= 0x55;
    }
    g_assert_cmpint(open_script(raw->data, raw->len, "gzip", SCRIPT, strlen(SCRIPT), &fd), ==,
                    -EBADMSG);
    g_assert_cmpint(open_script(SCRIPT, strlen(SCRIPT), "gzip", SCRIPT, strlen(SCRIPT), &fd), ==,
                    -EBADMSG);
    g_byte_array_append(zlib, (const guint8 *)"x", 1); /* something behind it */
    g_byte_array_append(gzip, second->data, second->len);
    g_assert_cmpint(open_script(zlib->data, zlib->len, "gzip", SCRIPT, strlen(SCRIPT), &fd), ==,
                    -EBADMSG);
    g_assert_cmpint(open_script(gzip->data, gzip->len, "gzip", SCRIPT, strlen(SCRIPT), &fd), ==,
                    -EBADMSG);
    g_assert_cmpint(fd, ==, -1);
}

static void test_compression_names(void) {
    static const char *const names[] = {"zlib", "bzip2", "gzip ", "gz", "none"};
    int fd = -1;

    for (size_t i = 0; i < ELEMENTSOF(names); i++)
        g_assert_cmpint(open_script(SCRIPT, strlen(SCRIPT), names[i], SCRIPT, strlen(SCRIPT), &fd),
                        ==, -EOPNOTSUPP);
}

static void test_checksum(void) {
    char good[SHA256_HEX_SIZE], other[SHA256_HEX_SIZE];
    g_autofree char *upper = NULL, *shorter = NULL, *longer = NULL;
    _cleanup_close_ int fd = -1, fd2 = -1;
    int none = -1;

    sha256_hex(SCRIPT, strlen(SCRIPT), good);
    sha256_hex("x", 1, other);
    upper = g_ascii_strup(good, -1);
    shorter = g_strndup(good, 63);
    longer = g_strconcat(good, "0", NULL);
    g_assert_cmpint(script_source_open(SCRIPT, strlen(SCRIPT), NULL, good, &fd), ==, 0);
    g_assert_cmpint(script_source_open(SCRIPT, strlen(SCRIPT), NULL, upper, &fd2), ==, 0);
    {
        const char *const bad[] = {other, shorter, longer, "", " "};

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
            g_assert_cmpint(script_source_open(SCRIPT, strlen(SCRIPT), NULL, bad[i], &none), ==,
                            -EKEYREJECTED);
    }
}

static void test_bounds(void) {
    g_autofree char *zeros = g_malloc0(SCRIPT_SIZE_MAX + 1);
    g_autoptr(GByteArray) largest = compress_bytes(zeros, SCRIPT_SIZE_MAX, GZIP);
    g_autoptr(GByteArray) bomb = compress_bytes(zeros, SCRIPT_SIZE_MAX + 1, GZIP);
    _cleanup_close_ int fd = -1, fd2 = -1;
    int none = -1;

    g_assert_cmpuint(bomb->len, <, 100000);
    g_assert_cmpint(open_script(zeros, SCRIPT_SIZE_MAX, NULL, zeros, SCRIPT_SIZE_MAX, &fd), ==, 0);
    g_assert_cmpint(open_script(largest->data, largest->len, "gzip", zeros, SCRIPT_SIZE_MAX, &fd2),
                    ==, 0);
    g_assert_cmpint(
        open_script(zeros, SCRIPT_SIZE_MAX + 1, NULL, zeros, SCRIPT_SIZE_MAX + 1, &none), ==,
        -EFBIG);
    g_assert_cmpint(open_script(bomb->data, bomb->len, "gzip", zeros, SCRIPT_SIZE_MAX + 1, &none),
                    ==, -EFBIG);
#if SIZE_MAX > UINT32_MAX
    g_assert_cmpint(script_source_open("", (size_t)UINT32_MAX + 1, NULL, "", &none), ==, -EFBIG);
#endif
}

static void test_sealed(void) {
    const int all = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    _cleanup_close_ int fd = -1;

    g_assert_cmpint(open_script(SCRIPT, strlen(SCRIPT), NULL, SCRIPT, strlen(SCRIPT), &fd), ==, 0);
    g_assert_cmpint(fcntl(fd, F_GET_SEALS), ==, all);
    g_assert_cmpint(pwrite(fd, "x", 1, 0), ==, -1);
    g_assert_cmpint(ftruncate(fd, 0), ==, -1);
    g_assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static int fill(const void *data, size_t size) {
    int fd = memfd_create("script", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    g_assert_cmpint(write(fd, data, size), ==, size);
    return fd;
}

/* What somebody else has written: sealed, and then its size and checksum decide. */
static void test_verify(void) {
    _cleanup_close_ int good = fill(SCRIPT, strlen(SCRIPT)), large = -1, plain = -1;
    g_autofree char *zeros = g_malloc0(SCRIPT_SIZE_MAX + 1);
    char hash[SHA256_HEX_SIZE];

    sha256_hex(SCRIPT, strlen(SCRIPT), hash);
    g_assert_cmpint(script_source_verify(good, hash), ==, 0);
    g_assert_cmpint(pwrite(good, "x", 1, 0), ==, -1);
    g_assert_cmpint(fcntl(good, F_GET_SEALS) & F_SEAL_GROW, !=, 0);
    close(TAKE_FD(good));

    good = fill(SCRIPT, strlen(SCRIPT));
    hash[0] = hash[0] == '0' ? '1' : '0';
    g_assert_cmpint(script_source_verify(good, hash), ==, -EKEYREJECTED);
    close(TAKE_FD(good));
    good = fill("", 0);
    g_assert_cmpint(script_source_verify(good, NULL), ==, 0);

    large = fill(zeros, SCRIPT_SIZE_MAX + 1);
    g_assert_cmpint(script_source_verify(large, NULL), ==, -EFBIG);
    plain = memfd_create("unsealable", MFD_CLOEXEC);
    g_assert_cmpint(script_source_verify(plain, NULL), ==, -EPERM);
}

static void test_texts(void) {
    static const int errors[] = {-EOPNOTSUPP, -EBADMSG, -EFBIG, -EKEYREJECTED, -ENOMEM};

    for (size_t i = 0; i < ELEMENTSOF(errors); i++)
        for (size_t k = 0; k < i; k++)
            g_assert_cmpstr(script_source_strerror(errors[i]), !=,
                            script_source_strerror(errors[k]));
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/script-source/good", test_good);
    g_test_add_func("/script-source/bad", test_bad);
    g_test_add_func("/script-source/compression-names", test_compression_names);
    g_test_add_func("/script-source/checksum", test_checksum);
    g_test_add_func("/script-source/bounds", test_bounds);
    g_test_add_func("/script-source/sealed", test_sealed);
    g_test_add_func("/script-source/verify", test_verify);
    g_test_add_func("/script-source/texts", test_texts);
    return g_test_run();
}
