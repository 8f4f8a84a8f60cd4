/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that a file that grows is given out in whole lines, each once, whatever they are made of,
 * and also by a second follower that goes on where the first one stopped. */
#include <fcntl.h>
#include <glib.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/job-output.h"
#include "job/follower.h"
#include "temporary.h"

typedef struct Fixture {
    char *dir;
    int dir_fd, fd;
    sd_event *event;
    FileWatches *watches;
    Follower *follower;
    GString *lines; /* each with a '|' behind it */
    unsigned n_ready;
} Fixture;

static void on_line(FollowerKind kind, const char *line, void *userdata) {
    Fixture *f = userdata;

    g_string_append_printf(f->lines, "%s|", line);
}

static void on_ready(Follower *follower, void *userdata) {
    Fixture *f = userdata;

    f->n_ready++;
}

static void follow(Fixture *f, uint64_t offset) {
    static const FollowerCallbacks callbacks = {.on_line = on_line, .on_ready = on_ready};

    follower_free(f->follower);
    g_assert_cmpint(
        follower_new(f->watches, f->dir_fd, FOLLOWER_LOG, offset, &callbacks, f, &f->follower), ==,
        0);
}

static void set_up(Fixture *f, gconstpointer unused) {
    f->dir = temporary_new();
    f->dir_fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    f->fd = openat(f->dir_fd, "log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    f->lines = g_string_new(NULL);
    g_assert_cmpint(sd_event_new(&f->event), ==, 0);
    g_assert_cmpint(file_watches_new(f->event, &f->watches), ==, 0);
    follow(f, 0);
}

static void tear_down(Fixture *f, gconstpointer unused) {
    follower_free(f->follower);
    file_watches_free(f->watches);
    sd_event_unref(f->event);
    g_string_free(f->lines, true);
    safe_close(f->fd);
    safe_close(f->dir_fd);
    temporary_remove(&f->dir);
}

static void append(Fixture *f, const char *text) {
    g_assert_cmpint(write_full(f->fd, text, strlen(text)), ==, 0);
}

static void expect(Fixture *f, bool all, const char *lines) {
    unsigned n = 1000;

    if (all)
        follower_end(f->follower);
    g_assert_cmpint(follower_read(f->follower, &n), ==, 0);
    g_assert_cmpstr(f->lines->str, ==, lines);
    g_string_truncate(f->lines, 0);
}

static void test_lines(Fixture *f, gconstpointer unused) {
    append(f, "one\ntwo\r\n\nthr");
    expect(f, false, "one|two|");
    expect(f, false, "");
    append(f, "ee\nfour");
    expect(f, false, "three|");
    expect(f, true, "four|");
    expect(f, true, "");
}

static void test_change_is_told(Fixture *f, gconstpointer unused) {
    append(f, "x\n");
    g_assert_cmpint(sd_event_run(f->event, 1000000), >, 0);
    g_assert_cmpuint(f->n_ready, ==, 1);
}

static void test_goes_on(Fixture *f, gconstpointer unused) {
    append(f, "one\ntwo\nthree");
    expect(f, false, "one|two|");
    follow(f, follower_get_offset(f->follower));
    append(f, "!\n");
    expect(f, false, "three!|");
}

static void test_no_more_than_wanted(Fixture *f, gconstpointer unused) {
    unsigned n = 2;

    append(f, "1\n\n2\n3\n4\n");
    g_assert_cmpint(follower_read(f->follower, &n), ==, 1);
    g_assert_cmpuint(n, ==, 0);
    g_assert_cmpstr(f->lines->str, ==, "1|");
    n = 5;
    g_assert_cmpint(follower_read(f->follower, &n), ==, 0);
    g_assert_cmpuint(n, ==, 2);
    g_assert_cmpstr(f->lines->str, ==, "1|2|3|4|");
}

/* A call costs what a few lines cost, whatever they are: empty ones, or one without an end. */
static void test_bounded(Fixture *f, gconstpointer unused) {
    g_autofree char *empty = g_strnfill(1024 * 1024, '\n');
    unsigned n = 50;
    uint64_t offset;

    append(f, empty);
    g_assert_cmpint(follower_read(f->follower, &n), ==, 1);
    g_assert_cmpuint(follower_get_offset(f->follower), ==, 50);
    g_assert_cmpint(ftruncate(f->fd, (off_t)1 << 40), ==, 0);
    (void)follower_skip(f->follower, (uint64_t)1 << 39);
    offset = follower_get_offset(f->follower);
    for (unsigned i = 1; i < 10; i++) {
        n = 50;
        g_assert_cmpint(follower_read(f->follower, &n), ==, 1);
        g_assert_cmpuint(follower_get_offset(f->follower) - offset, >, 0);
        g_assert_cmpuint(follower_get_offset(f->follower) - offset, <, i * 2 * JOB_READ_MAX);
    }
    g_assert_cmpstr(f->lines->str, ==, "");
}

/* As dcm-run keeps it: a head, and a ring for what came last; also after the job's end. */
static void test_ring(Fixture *f, gconstpointer unused) {
    static const char claim[] = EXIT_RECORD_CLAIM "OUTPUT_MAX=131072\n";
    static const char last[] = "st\nnew\n";
    const size_t size = strlen(last);
    const uint64_t half = JOB_OUTPUT_MIN / 2, total = 10 * half;
    const JobOutputExtent extent = {half, total - size, total};
    g_autofree char *head = g_strnfill(half, '\n');

    temporary_write(f->dir, "exit", claim, strlen(claim));
    temporary_write(f->dir, "log-pipe", "", 0);
    follow(f, 0);
    safe_close(f->fd);
    f->fd = openat(f->dir_fd, "log", O_WRONLY | O_CLOEXEC);
    append(f, head);
    g_assert_cmpint(pwrite(f->fd, last, size, (off_t)(2 * half - size)), ==, size);
    job_output_write_extent(f->fd, JOB_OUTPUT_MIN, &extent);
    for (unsigned n = 1000; follower_read(f->follower, &n) > 0;)
        n = 1000;
    g_assert_cmpstr(f->lines->str, ==, "new|");
    g_assert_cmpuint(follower_get_offset(f->follower), ==, total);
    g_string_truncate(f->lines, 0);
    follower_end(f->follower);
    expect(f, false, "");
}

static void test_long_line(Fixture *f, gconstpointer unused) {
    g_autofree char *line = g_strnfill(3 * JOB_LINE_MAX, 'x');
    g_autofree char *expected = g_strnfill(JOB_LINE_MAX, 'x');
    g_autofree char *with_end = g_strconcat(expected, "|", NULL);

    append(f, line);
    expect(f, false, with_end);
    append(f, line);
    expect(f, false, "");
    append(f, "\nnext\n");
    expect(f, false, "next|");
}

static void test_bytes_that_are_no_text(Fixture *f, gconstpointer unused) {
    g_assert_cmpint(write_full(f->fd, "a\0b\n\xff\n", 6), ==, 0);
    expect(f, false,
           "a\xef\xbf\xbd"
           "b|\xef\xbf\xbd|");
}

static void test_emptied(Fixture *f, gconstpointer unused) {
    append(f, "before\n");
    expect(f, false, "before|");
    g_assert_cmpint(ftruncate(f->fd, 0), ==, 0);
    append(f, "new\n");
    expect(f, false, "new|");
}

static void test_skip(Fixture *f, gconstpointer unused) {
    append(f, "first\nsecond\nthird\n");
    g_assert_cmpuint(follower_skip(f->follower, 1000), ==, 0);
    g_assert_cmpuint(follower_skip(f->follower, 9), ==, 10);
    expect(f, false, "third|"); /* not the rest of a line */
}

/* What dcm-run had not copied when it was killed: the agent holds the FIFO, so that it is still
 * there. */
static void test_rest_of_the_pipe(Fixture *f, gconstpointer unused) {
    g_autofree char *path = g_build_filename(f->dir, "log-pipe", NULL);
    unsigned n = 2;
    int fd;

    g_assert_cmpint(mkfifo(path, 0600), ==, 0);
    append(f, "kept\n");
    follow(f, 0);
    fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(write_full(fd, "one\n\ntwo\nthree", 14), ==, 0);
    close(fd);
    expect(f, true, "kept|");
    follower_drain(f->follower, &n);
    g_assert_cmpstr(f->lines->str, ==, "one|");
    g_assert_cmpuint(n, ==, 0);
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
#define ADD(name, f) g_test_add("/follower/" name, Fixture, NULL, set_up, f, tear_down)
    ADD("lines", test_lines);
    ADD("change-is-told", test_change_is_told);
    ADD("goes-on", test_goes_on);
    ADD("no-more-than-wanted", test_no_more_than_wanted);
    ADD("long-line", test_long_line);
    ADD("bytes-that-are-no-text", test_bytes_that_are_no_text);
    ADD("emptied", test_emptied);
    ADD("bounded", test_bounded);
    ADD("ring", test_ring);
    ADD("rest-of-the-pipe", test_rest_of_the_pipe);
    ADD("skip", test_skip);
    return g_test_run();
}
