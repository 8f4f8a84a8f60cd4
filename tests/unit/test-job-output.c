/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that kept output is put together right: head, what is missing, ring unrolled; and that a
 * summary that does not fit its file does no harm. */
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/job-output.h"

typedef struct Fixture {
    char *dir;
    int dir_fd;
    int fd;
} Fixture;

static void set_up(Fixture *f, gconstpointer unused) {
    f->dir = g_dir_make_tmp("dcm-XXXXXX", NULL);
    f->dir_fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    f->fd = openat(f->dir_fd, "stdout", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    g_assert_cmpint(f->fd, >=, 0);
}

static void tear_down(Fixture *f, gconstpointer unused) {
    (void)unlinkat(f->dir_fd, "stdout", 0);
    safe_close(f->fd);
    safe_close(f->dir_fd);
    g_rmdir(f->dir);
    g_free(f->dir);
}

static char stream_byte(uint64_t offset) {
    return (char)('a' + offset % 23);
}

/* What dcm-run leaves of a stream of that size. */
static OutputSummary write_stream(Fixture *f, uint64_t total) {
    uint64_t tail = total > JOB_OUTPUT_HEAD_MAX ? total - JOB_OUTPUT_HEAD_MAX : 0;
    g_autofree char *image = g_malloc0(JOB_OUTPUT_HEAD_MAX + JOB_OUTPUT_TAIL_MAX);
    OutputSummary s = {.total_bytes = total,
                       .head_bytes = MIN(total, JOB_OUTPUT_HEAD_MAX),
                       .tail_bytes = MIN(tail, JOB_OUTPUT_TAIL_MAX)};

    s.tail_offset = s.tail_bytes > 0 ? total - s.tail_bytes : 0;
    for (uint64_t i = 0; i < total; i++)
        image[job_output_position(i)] = stream_byte(i);
    g_assert_cmpint(ftruncate(f->fd, 0), ==, 0);
    g_assert_cmpint(pwrite(f->fd, image, s.head_bytes + s.tail_bytes, 0), ==,
                    (ssize_t)(s.head_bytes + s.tail_bytes));
    return s;
}

static void append_stream(GString *expected, uint64_t from, uint64_t to) {
    for (uint64_t i = from; i < to; i++)
        g_string_append_c(expected, stream_byte(i));
}

static void test_sizes(Fixture *f, gconstpointer unused) {
    const uint64_t both = JOB_OUTPUT_HEAD_MAX + JOB_OUTPUT_TAIL_MAX;
    const uint64_t totals[] = {0,
                               1,
                               JOB_OUTPUT_HEAD_MAX,
                               JOB_OUTPUT_HEAD_MAX + 1,
                               both - 1,
                               both,
                               both + 1,
                               both + 4711,
                               2 * both,
                               2 * both + 99};

    for (size_t i = 0; i < G_N_ELEMENTS(totals); i++) {
        g_autoptr(GString) expected = g_string_new(NULL);
        OutputSummary s = write_stream(f, totals[i]);
        _cleanup_free_ char *text = NULL;
        size_t size;

        append_stream(expected, 0, s.head_bytes);
        if (totals[i] > both)
            g_string_append_printf(expected, "\n[... %" G_GUINT64_FORMAT " bytes left out ...]\n",
                                   (guint64)(totals[i] - both));
        if (s.tail_bytes > 0)
            append_stream(expected, s.tail_offset, totals[i]);
        g_assert_cmpint(job_output_read(f->dir_fd, "stdout", &s, &text, &size), ==, 0);
        g_assert_cmpmem(text, size, expected->str, expected->len);
        g_assert_cmpint(text[size], ==, 0);
    }
}

static void test_without_record(Fixture *f, gconstpointer unused) {
    _cleanup_free_ char *text = NULL;
    size_t size;

    (void)write_stream(f, 2 * JOB_OUTPUT_HEAD_MAX);
    g_assert_cmpint(job_output_read(f->dir_fd, "stdout", NULL, &text, &size), ==, 0);
    g_assert_cmpuint(size, ==, JOB_OUTPUT_HEAD_MAX);
}

/* The disk was full for a while, then until the end. */
static void test_holes(Fixture *f, gconstpointer unused) {
    _cleanup_free_ char *text = NULL;
    OutputSummary s;
    size_t size;

    (void)write_stream(f, JOB_OUTPUT_HEAD_MAX + 100);
    s = (OutputSummary){.total_bytes = JOB_OUTPUT_HEAD_MAX + 1000,
                        .head_bytes = 3,
                        .tail_bytes = 10,
                        .tail_offset = JOB_OUTPUT_HEAD_MAX + 5};
    g_assert_cmpint(job_output_read(f->dir_fd, "stdout", &s, &text, &size), ==, 0);
    g_assert_true(g_str_has_prefix(text, "abc\n[... 524290 bytes left out ...]\n"));
    g_assert_true(g_str_has_suffix(text, "\n[... 985 bytes left out ...]\n"));
}

static void test_shorter_file(Fixture *f, gconstpointer unused) {
    _cleanup_free_ char *text = NULL;
    OutputSummary s = write_stream(f, 3 * JOB_OUTPUT_HEAD_MAX);
    size_t size;

    g_assert_cmpint(ftruncate(f->fd, 4), ==, 0);
    g_assert_cmpint(job_output_read(f->dir_fd, "stdout", &s, &text, &size), ==, 0);
    g_assert_true(g_str_has_prefix(text, "abcd\n[..."));
    g_assert_cmpint(job_output_read(f->dir_fd, "absent", &s, &text, &size), ==, -ENOENT);
}

static void test_no_link(Fixture *f, gconstpointer unused) {
    char *text = NULL;
    size_t size;

    g_assert_cmpint(symlinkat("/etc/passwd", f->dir_fd, "link"), ==, 0);
    g_assert_cmpint(job_output_read(f->dir_fd, "link", NULL, &text, &size), ==, -ELOOP);
    (void)unlinkat(f->dir_fd, "link", 0);
}

/* All pieces together are what was kept, in pieces of any size, from head to ring to its beginning.
 */
static void test_pieces(Fixture *f, gconstpointer unused) {
    const uint64_t both = JOB_OUTPUT_HEAD_MAX + JOB_OUTPUT_TAIL_MAX;
    const uint64_t totals[] = {0,    1,         JOB_OUTPUT_HEAD_MAX, JOB_OUTPUT_HEAD_MAX + 1,
                               both, both + 777};
    static const size_t sizes[] = {100003, 512 * 1024, 2 * 1024 * 1024};

    for (size_t i = 0; i < ELEMENTSOF(totals); i++)
        for (size_t k = 0; k < ELEMENTSOF(sizes); k++) {
            OutputSummary s = write_stream(f, totals[i]);
            g_autofree char *buf = g_malloc(sizes[k]);
            uint64_t offset = 0, at = 0, kept = 0;
            ssize_t n;

            while ((n = job_output_read_at(f->dir_fd, "stdout", &s, offset, buf, sizes[k], &at)) >
                   0) {
                g_assert_true(at == offset || (offset == s.head_bytes && at == s.tail_offset));
                for (ssize_t b = 0; b < n; b++)
                    g_assert_cmpint(buf[b], ==, stream_byte(at + (uint64_t)b));
                kept += (uint64_t)n;
                offset = at + (uint64_t)n;
            }
            g_assert_cmpint(n, ==, 0);
            g_assert_cmpuint(kept, ==, s.head_bytes + s.tail_bytes);
            g_assert_cmpuint(offset, ==, s.total_bytes);
            g_assert_cmpint(job_output_read_at(f->dir_fd, "stdout", &s, UINT64_MAX, buf, 1, &at),
                            ==, 0);
        }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
#define ADD(name, f) g_test_add("/job-output/" name, Fixture, NULL, set_up, f, tear_down)
    ADD("sizes", test_sizes);
    ADD("pieces", test_pieces);
    ADD("without-record", test_without_record);
    ADD("holes", test_holes);
    ADD("shorter-file", test_shorter_file);
    ADD("no-link", test_no_link);
    return g_test_run();
}
