/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that kept output is put together right, whatever its sizes: head, what is missing with
 * count and checksum, ring unrolled; that a reader is given no more than it wants; and that a
 * summary that does not fit its file does no harm. */
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/job-output.h"

#define MAX_DEFAULT JOB_OUTPUT_DEFAULT
#define HALF (JOB_OUTPUT_DEFAULT / 2)
#define NO_LIMIT (2 * JOB_OUTPUT_DEFAULT)

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
    (void)unlinkat(f->dir_fd, "exit", 0);
    safe_close(f->fd);
    safe_close(f->dir_fd);
    g_rmdir(f->dir);
    g_free(f->dir);
}

static char stream_byte(uint64_t offset) {
    return (char)('a' + offset % 23);
}

/* What dcm-run leaves of a stream of that size. */
static ExitRecord write_stream(Fixture *f, uint64_t max, uint64_t total) {
    uint64_t tail = total > max / 2 ? total - max / 2 : 0;
    g_autofree char *image = g_malloc0(max);
    ExitRecord r = {.output_max = max, .kind = EXIT_KIND_EXITED};

    r.out = (OutputSummary){
        .total_bytes = total, .head_bytes = MIN(total, max / 2), .tail_bytes = MIN(tail, max / 2)};
    r.out.tail_offset = r.out.tail_bytes > 0 ? total - r.out.tail_bytes : 0;
    memset(r.out.sha256, 'f', sizeof(r.out.sha256) - 1);
    memset(r.err.sha256, 'e', sizeof(r.err.sha256) - 1);
    for (uint64_t i = 0; i < total; i++)
        image[job_output_position(max, i)] = stream_byte(i);
    g_assert_cmpint(ftruncate(f->fd, 0), ==, 0);
    g_assert_cmpint(pwrite(f->fd, image, r.out.head_bytes + r.out.tail_bytes, 0), ==,
                    (ssize_t)(r.out.head_bytes + r.out.tail_bytes));
    return r;
}

static void read_all(Fixture *f, const ExitRecord *record, uint64_t limit, char **ret,
                     size_t *ret_size) {
    JobOutput o;

    g_assert_cmpint(job_output_open(f->dir_fd, "stdout", record, &o), ==, 0);
    g_assert_cmpint(job_output_read(&o, limit, ret, ret_size), ==, 0);
    g_assert_cmpint((*ret)[*ret_size], ==, 0);
    job_output_done(&o);
}

static void append_stream(GString *expected, uint64_t from, uint64_t to) {
    for (uint64_t i = from; i < to; i++)
        g_string_append_c(expected, stream_byte(i));
}

/* With all that was kept, and with less. */
static void test_sizes(Fixture *f, gconstpointer unused) {
    static const uint64_t maxima[] = {JOB_OUTPUT_MIN, JOB_OUTPUT_DEFAULT, JOB_OUTPUT_MIN + 2 * 77};
    static const uint64_t limits[] = {2, 4096, 300000, JOB_OUTPUT_DEFAULT, 2 * JOB_OUTPUT_DEFAULT};

    for (size_t m = 0; m < ELEMENTSOF(maxima); m++)
        for (size_t l = 0; l < ELEMENTSOF(limits); l++) {
            const uint64_t max = maxima[m], half = max / 2, limit = limits[l];
            const uint64_t totals[] = {
                0,       1,          2,       half,         half + 1, max - 1,  max,
                max + 1, max + 4711, 2 * max, 2 * max + 99, limit,    limit + 1};

            for (size_t i = 0; i < G_N_ELEMENTS(totals); i++) {
                const uint64_t total = totals[i], part = total <= limit ? total : limit / 2;
                const uint64_t head = MIN(part, total <= max ? part : half);
                const uint64_t tail = total == head ? 0 : MIN(total > limit ? part : half, half);
                g_autoptr(GString) expected = g_string_new(NULL);
                ExitRecord r = write_stream(f, max, total);
                _cleanup_free_ char *text = NULL;
                size_t size;

                append_stream(expected, 0, head);
                if (head + tail < total)
                    g_string_append_printf(expected,
                                           "\n[... %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                                           " bytes left out; SHA-256 of all: %s ...]\n",
                                           (guint64)(total - head - tail), (guint64)total,
                                           r.out.sha256);
                append_stream(expected, total - tail, total);
                read_all(f, &r, limit, &text, &size);
                g_assert_cmpmem(text, size, expected->str, expected->len);
            }
        }
}

static void test_without_record(Fixture *f, gconstpointer unused) {
    _cleanup_free_ char *text = NULL, *less = NULL;
    size_t size;

    (void)write_stream(f, MAX_DEFAULT, HALF);
    read_all(f, NULL, NO_LIMIT, &text, &size);
    g_assert_cmpuint(size, ==, HALF);
    free(TAKE_PTR(text));
    (void)write_stream(f, MAX_DEFAULT, HALF + 1);
    read_all(f, NULL, NO_LIMIT, &text, &size);
    g_assert_true(g_str_has_suffix(text, "\n[... more was left out ...]\n"));
    g_assert_cmpint(text[HALF], ==, '\n');
    read_all(f, NULL, 3, &less, &size);
    g_assert_cmpstr(less, ==, "abc\n[... more was left out ...]\n");
}

/* What dcm-run has written behind the ring says what can be read; what may be written over at any
 * moment is not. */
static void test_running(Fixture *f, gconstpointer unused) {
    static const uint64_t totals[] = {HALF + 1, 2 * HALF, 2 * HALF + 7, 9 * HALF + 1234};
    _cleanup_(job_output_done) JobOutput o = JOB_OUTPUT_INIT;

    (void)write_stream(f, MAX_DEFAULT, HALF);
    g_assert_cmpint(job_output_open(f->dir_fd, "stdout", NULL, &o), ==, 0);
    g_assert_cmpuint(job_output_get_end(&o), ==, HALF);
    for (size_t i = 0; i < ELEMENTSOF(totals); i++) {
        JobOutputExtent e = {HALF, HALF, totals[i]};
        uint64_t offset = HALF, at, first;
        char buf[1000];
        ssize_t n;

        (void)write_stream(f, MAX_DEFAULT, totals[i]);
        job_output_write_extent(f->fd, MAX_DEFAULT, &e);
        g_assert_cmpuint(job_output_get_end(&o), ==, totals[i]);
        n = job_output_read_at(&o, HALF - 1, buf, sizeof(buf), &at);
        g_assert_cmpint(n, ==, 1);
        first = MAX(HALF, totals[i] - MIN(totals[i], HALF - JOB_OUTPUT_SLACK));
        while ((n = job_output_read_at(&o, offset, buf, sizeof(buf), &at)) > 0) {
            g_assert_cmpuint(at, ==, offset == HALF ? first : offset);
            for (ssize_t k = 0; k < n; k++)
                g_assert_cmpint(buf[k], ==, stream_byte(at + (uint64_t)k));
            offset = at + (uint64_t)n;
        }
        g_assert_cmpint(n, ==, 0);
        g_assert_cmpuint(offset, ==, totals[i]);
    }
}

/* How much is kept is known from the claim on. */
static void test_claim(Fixture *f, gconstpointer unused) {
    static const struct {
        const char *text;
        uint64_t max;
    } cases[] = {
        {EXIT_RECORD_CLAIM, JOB_OUTPUT_DEFAULT},
        {EXIT_RECORD_CLAIM "OUTPUT_MAX=131072\n", JOB_OUTPUT_MIN},
        {EXIT_RECORD_CLAIM "OUTPUT_MAX=131072\nKIND=", JOB_OUTPUT_MIN},
        {EXIT_RECORD_CLAIM "OUTPUT_MAX=1073741824\n", JOB_OUTPUT_MAX},
        {EXIT_RECORD_CLAIM "OUTPUT_MAX=1073741825\n", JOB_OUTPUT_DEFAULT},
        {EXIT_RECORD_CLAIM "OUTPUT_MAX=131071\n", JOB_OUTPUT_DEFAULT},
        {EXIT_RECORD_CLAIM "OUTPUT_MAX=131072", JOB_OUTPUT_DEFAULT},
        {EXIT_RECORD_CLAIM "OUTPUT_MAX=0131072\n", JOB_OUTPUT_DEFAULT},
        {"", JOB_OUTPUT_DEFAULT},
        {"x", JOB_OUTPUT_DEFAULT},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        int fd = openat(f->dir_fd, "exit", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        JobOutput o;

        g_assert_cmpint(write(fd, cases[i].text, strlen(cases[i].text)), ==,
                        (ssize_t)strlen(cases[i].text));
        safe_close(fd);
        g_assert_cmpint(job_output_open(f->dir_fd, "stdout", NULL, &o), ==, 0);
        g_assert_cmpuint(o.max, ==, cases[i].max);
        g_assert_false(o.has_ended);
        job_output_done(&o);
    }
}

/* The disk was full for a while, then until the end. */
static void test_holes(Fixture *f, gconstpointer unused) {
    _cleanup_free_ char *text = NULL;
    ExitRecord r = write_stream(f, MAX_DEFAULT, HALF + 100);
    size_t size;

    r.out.total_bytes = HALF + 1000;
    r.out.head_bytes = 3;
    r.out.tail_bytes = 10;
    r.out.tail_offset = HALF + 5;
    read_all(f, &r, NO_LIMIT, &text, &size);
    g_assert_true(g_str_has_prefix(text, "abc\n[... 524290 of 525288 bytes left out; "));
    g_assert_nonnull(strstr(text, "\n[... 985 of 525288 bytes left out; "));
    g_assert_true(g_str_has_suffix(text, " ...]\n"));
}

static void test_shorter_file(Fixture *f, gconstpointer unused) {
    _cleanup_free_ char *text = NULL;
    ExitRecord r = write_stream(f, MAX_DEFAULT, 3 * HALF);
    JobOutput o;
    size_t size;

    g_assert_cmpint(ftruncate(f->fd, 4), ==, 0);
    read_all(f, &r, NO_LIMIT, &text, &size);
    g_assert_true(g_str_has_prefix(text, "abcd\n[... 1572860 of 1572864 bytes"));
    g_assert_cmpint(job_output_open(f->dir_fd, "absent", &r, &o), ==, -ENOENT);
}

static void test_no_link(Fixture *f, gconstpointer unused) {
    JobOutput o;

    g_assert_cmpint(symlinkat("/etc/passwd", f->dir_fd, "link"), ==, 0);
    g_assert_cmpint(job_output_open(f->dir_fd, "link", NULL, &o), ==, -ELOOP);
    (void)unlinkat(f->dir_fd, "link", 0);
}

/* All pieces together are what was kept, in pieces of any size, from head to ring to its beginning.
 */
static void test_pieces(Fixture *f, gconstpointer unused) {
    const uint64_t totals[] = {
        0, 1, HALF, HALF + 1, MAX_DEFAULT, MAX_DEFAULT + 777, JOB_OUTPUT_MIN};
    static const size_t sizes[] = {100003, 512 * 1024, 2 * 1024 * 1024};
    static const uint64_t maxima[] = {JOB_OUTPUT_MIN, JOB_OUTPUT_DEFAULT};

    for (size_t i = 0; i < ELEMENTSOF(totals) * ELEMENTSOF(maxima); i++)
        for (size_t k = 0; k < ELEMENTSOF(sizes); k++) {
            ExitRecord r = write_stream(f, maxima[i % 2], totals[i / 2]);
            g_autofree char *buf = g_malloc(sizes[k]);
            uint64_t offset = 0, at = 0, kept = 0;
            JobOutput o;
            ssize_t n;

            g_assert_cmpint(job_output_open(f->dir_fd, "stdout", &r, &o), ==, 0);
            while ((n = job_output_read_at(&o, offset, buf, sizes[k], &at)) > 0) {
                g_assert_true(at == offset ||
                              (offset == r.out.head_bytes && at == r.out.tail_offset));
                for (ssize_t b = 0; b < n; b++)
                    g_assert_cmpint(buf[b], ==, stream_byte(at + (uint64_t)b));
                kept += (uint64_t)n;
                offset = at + (uint64_t)n;
            }
            g_assert_cmpint(n, ==, 0);
            g_assert_cmpuint(kept, ==, r.out.head_bytes + r.out.tail_bytes);
            g_assert_cmpuint(offset, ==, r.out.total_bytes);
            g_assert_cmpint(job_output_read_at(&o, UINT64_MAX, buf, 1, &at), ==, 0);
            job_output_done(&o);
        }
}

static void test_disk_usage(Fixture *f, gconstpointer unused) {
    const uint64_t empty = job_output_disk_usage(f->dir_fd);

    (void)write_stream(f, MAX_DEFAULT, MAX_DEFAULT);
    g_assert_cmpint(fsync(f->fd), ==, 0); /* until then blocks may be promised and not counted */
    g_assert_cmpuint(job_output_disk_usage(f->dir_fd), >=, empty + MAX_DEFAULT);
}

/* Whatever the limit and the length: what is left out is whole characters, and is counted. */
static void test_characters(Fixture *f, gconstpointer unused) {
    static const char *const characters[] = {"x", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};

    for (size_t i = 0; i < G_N_ELEMENTS(characters); i++)
        for (size_t shift = 0; shift < 4; shift++)
            for (uint64_t limit = 96; limit < 112; limit++) {
                g_autoptr(GString) stream = g_string_new(&"1234567"[7 - shift]);
                _cleanup_free_ char *text = NULL;
                guint64 left_out, total;
                const char *gap, *rest;
                ExitRecord r;
                size_t size;

                while (stream->len < 200)
                    g_string_append(stream, characters[i]);
                r = write_stream(f, JOB_OUTPUT_MIN, stream->len);
                g_assert_cmpint(pwrite(f->fd, stream->str, stream->len, 0), ==,
                                (ssize_t)stream->len);
                read_all(f, &r, limit, &text, &size);
                g_assert_true(g_utf8_validate(text, (gssize)size, NULL));
                gap = strstr(text, "\n[... ");
                g_assert_nonnull(gap);
                rest = strstr(gap, " ...]\n") + strlen(" ...]\n");
                g_assert_cmpint(sscanf(gap, "\n[... %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT,
                                       &left_out, &total),
                                ==, 2);
                g_assert_cmpuint(total, ==, stream->len);
                g_assert_cmpuint((size_t)(gap - text) + left_out + strlen(rest), ==, total);
                g_assert_cmpuint((size_t)(gap - text), >, limit / 2 - 4);
                g_assert_cmpuint(strlen(rest), >, limit / 2 - 4);
                g_assert_cmpint(memcmp(text, stream->str, (size_t)(gap - text)), ==, 0);
                g_assert_true(g_str_has_suffix(stream->str, rest));
            }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
#define ADD(name, f) g_test_add("/job-output/" name, Fixture, NULL, set_up, f, tear_down)
    ADD("sizes", test_sizes);
    ADD("characters", test_characters);
    ADD("pieces", test_pieces);
    ADD("without-record", test_without_record);
    ADD("running", test_running);
    ADD("claim", test_claim);
    ADD("holes", test_holes);
    ADD("shorter-file", test_shorter_file);
    ADD("no-link", test_no_link);
    ADD("disk-usage", test_disk_usage);
    return g_test_run();
}
