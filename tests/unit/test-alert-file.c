/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that a place in a file is found again in the same bytes, under whatever name and inode,
 * and in no others. */
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <unistd.h>

#include "alert/file.h"
#include "basic/fd-util.h"
#include "temporary.h"

#define SIZE 5000u

static char *make(const char *dir, const char *name, unsigned seed) {
    char *path = g_build_filename(dir, name, NULL);
    char text[SIZE];

    for (unsigned i = 0; i < SIZE; i++)
        text[i] = (char)('a' + (i * 7 + seed * (i / 100 + 1)) % 26);
    g_assert_true(g_file_set_contents(path, text, SIZE, NULL));
    return path;
}

static int open_file(const char *path) {
    int fd = -1;

    g_assert_cmpint(alert_file_open(path, &fd), ==, 0);
    return fd;
}

static void test_mark(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    g_autofree char *a = make(dir, "a", 0), *b = make(dir, "b", 1), *same = make(dir, "same", 0);
    _cleanup_close_ int fd = open_file(a), other = open_file(b), copy = open_file(same);
    static const uint64_t offsets[] = {0, 1, 255, 256, 257, 511, 512, 513, SIZE};

    for (size_t i = 0; i < ELEMENTSOF(offsets); i++) {
        char text[ALERT_MARK_TEXT_SIZE];
        AlertMark m, again;

        g_assert_cmpint(alert_mark_make(fd, offsets[i], &m), ==, 0);
        g_assert_cmpint(m.in_line, ==, offsets[i] > 0);
        alert_mark_to_string(&m, text);
        g_assert_cmpint(alert_mark_from_string(text, &again), ==, 0);
        g_assert_cmpint(alert_mark_matches(&again, fd), ==, 1);
        g_assert_cmpint(alert_mark_matches(&again, copy), ==, offsets[i] > 0);
        g_assert_cmpint(alert_mark_matches(&again, other), ==, 0);
        g_assert_cmpint(again.in_line, ==, m.in_line);
    }
    {
        AlertMark m;

        g_assert_cmpint(alert_mark_make(fd, SIZE + 1, &m), ==, -ENODATA);
        g_assert_cmpint(alert_mark_make(fd, SIZE, &m), ==, 0);
        g_assert_cmpint(truncate(a, SIZE - 1), ==, 0);
        g_assert_cmpint(alert_mark_matches(&m, fd), ==, 0);
    }
}

static void rewrite(const char *path, const char *text, size_t size) {
    _cleanup_close_ int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(write(fd, text, size), ==, size);
}

/* Another program truncates and writes it, longer than before, between the steps of a read. */
static void test_mark_of_truncated_file(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    g_autofree char *path = make(dir, "a", 0);
    _cleanup_close_ int fd = open_file(path);
    char former[SIZE], later[SIZE];
    static const uint64_t offsets[] = {0, 600};

    g_assert_cmpint(pread(fd, former, SIZE, 0), ==, SIZE);
    memcpy(later, former, SIZE);
    memset(later, 'x', SIZE / 2);
    for (size_t i = 0; i < ELEMENTSOF(offsets); i++) {
        AlertMark m, next, expected;

        rewrite(path, former, SIZE);
        g_assert_cmpint(alert_mark_make(fd, offsets[i], &m), ==, 0);
        g_assert_cmpint(alert_mark_advance(&m, fd, former + offsets[i], 700, &next), ==, 0);
        g_assert_cmpint(alert_mark_make(fd, offsets[i] + 700, &expected), ==, 0);
        g_assert_cmpstr(next.hash, ==, expected.hash);
        rewrite(path, later,
                SIZE); /* after the read, or before it where there is something before the mark */
        g_assert_cmpint(alert_mark_advance(&m, fd, former + offsets[i], 700, &next), ==, -ESTALE);
        if (offsets[i] > 0)
            g_assert_cmpint(alert_mark_advance(&m, fd, later + offsets[i], 700, &next), ==,
                            -ESTALE);
        rewrite(path, former, 700);
        g_assert_cmpint(alert_mark_advance(&m, fd, former + offsets[i], 701, &next), ==, -ESTALE);
    }
}

static void test_bad_text(void) {
    AlertMark m;

    g_assert_cmpint(alert_mark_from_string("", &m), ==, -EINVAL);
    g_assert_cmpint(alert_mark_from_string("1 2 xyz 0", &m), ==, -EINVAL);
    g_assert_cmpint(alert_mark_from_string("1 2 abc", &m), ==, -EINVAL);
}

static void test_find(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    g_autofree char *month = g_build_filename(dir, "2026", "Nov", NULL);
    g_autofree char *path = make(dir, "alerts.log", 0);
    g_autofree char *rotated = g_build_filename(dir, "alerts.log.1", NULL);
    g_autofree char *dated = g_build_filename(month, "ossec-alerts-22.log", NULL);
    g_autofree char *fifo = g_build_filename(dir, "fifo", NULL);
    _cleanup_close_ int fd = open_file(path);
    const char *names[] = {rotated, dated};
    AlertMark m;
    int found = -1;

    g_assert_cmpint(g_mkdir_with_parents(month, 0700), ==, 0);
    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    g_assert_cmpint(alert_mark_make(fd, SIZE / 2, &m), ==, 0);
    for (size_t i = 0; i < ELEMENTSOF(names); i++) {
        struct stat expected, st;
        g_autofree char *new_one = NULL;

        g_assert_cmpint(g_rename(path, names[i]), ==, 0);
        new_one = make(dir, "alerts.log", 5);
        g_assert_cmpint(alert_file_find(path, &m, &found), ==, 0);
        g_assert_cmpint(fstat(found, &st), ==, 0);
        g_assert_cmpint(stat(names[i], &expected), ==, 0);
        g_assert_cmpuint(st.st_ino, ==, expected.st_ino);
        found = safe_close(found);
        g_assert_cmpint(g_rename(names[i], path), ==, 0);
    }
    g_assert_cmpint(g_unlink(path), ==, 0);
    g_assert_cmpint(alert_file_find(path, &m, &found), ==, -ENOENT);
    g_assert_cmpint(alert_file_open(fifo, &found), ==, -EINVAL);
    g_assert_cmpint(alert_file_open(dir, &found), ==, -EINVAL);
}

/* `second`: when it was written last */
static void write_file(const char *dir, const char *name, const char *begin, time_t second) {
    const struct timespec times[2] = {{second, 0}, {second, 0}};
    g_autofree char *text = g_strconcat(begin, ": - syslog,sshd,\n", NULL);
    g_autofree char *path = g_build_filename(dir, name, NULL);

    temporary_write(dir, name, text, strlen(text));
    g_assert_cmpint(utimensat(AT_FDCWD, path, times, 0), ==, 0);
}

static AlertMark mark_of(const char *dir, const char *name, uint64_t offset) {
    g_autofree char *path = g_build_filename(dir, name, NULL);
    _cleanup_close_ int fd = open_file(path);
    AlertMark m;

    g_assert_cmpint(alert_mark_make(fd, offset, &m), ==, 0);
    return m;
}

static void assert_next(const char *dir, const AlertMark *m, AlertFiles *done,
                        const char *expected) {
    g_autofree char *path = g_build_filename(dir, "alerts.log", NULL);
    _cleanup_close_ int next = -1;
    char text[64] = "";
    struct stat st;

    g_assert_cmpint(alert_file_find_next(path, m, done, &next), ==, 0);
    g_assert_cmpint(pread(next, text, strlen(expected), 0), >=, 0);
    g_assert_cmpstr(text, ==, expected);
    g_assert_cmpint(fstat(next, &st), ==, 0);
    done->inodes[done->n++] = st.st_ino;
}

/* In the order in which they were written last, and the one that has the name in the end. */
static void test_find_next(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    AlertFiles done = {};
    AlertMark m;

    write_file(dir, "before", "** Alert 900.0", 10);
    write_file(dir, "alerts.log.3", "** Alert 1000.0", 20);
    write_file(dir, "alerts.log.2", "** Alert 2000.0", 20); /* of the same moment */
    write_file(dir, "alerts.log.1", "middle of one\n** Alert 3000.0", 21);
    write_file(dir, "copy", "** Alert 1000.0", 30);
    write_file(dir, "other", "** Alerts 1500.0", 30);
    temporary_write(dir, "empty", "", 0);
    write_file(dir, "alerts.log", "** Alert 4000.0", 40);
    m = mark_of(dir, "alerts.log.3", 20);
    assert_next(dir, &m, &done, "** Alert 2000.0");
    assert_next(dir, &m, &done, "middle of one\n** Alert 3000.0");
    assert_next(dir, &m, &done, "** Alert 4000.0");
    done.n = ALERT_FILES_BETWEEN_MAX; /* so many at most */
    done.inodes[0] = 0;
    {
        g_autofree char *path = g_build_filename(dir, "alerts.log", NULL);
        _cleanup_close_ int next = -1;
        struct stat st, named;

        g_assert_cmpint(alert_file_find_next(path, &m, &done, &next), ==, 0);
        g_assert_cmpint(fstat(next, &st), ==, 0);
        g_assert_cmpint(stat(path, &named), ==, 0);
        g_assert_cmpuint(st.st_ino, ==, named.st_ino);
    }
}

/* Of one that nothing was read of: what was written after that. */
static void test_find_next_after_nothing(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    time_t now = time(NULL);
    AlertFiles done = {};
    AlertMark m;

    write_file(dir, "alerts.log", "** Alert 4000.0", now);
    write_file(dir, "alerts.log.1", "** Alert 1000.0", now - 10);
    m = mark_of(dir, "alerts.log", 0);
    assert_next(dir, &m, &done, "** Alert 4000.0");
    done.n = 0;
    write_file(dir, "copy", "** Alert 3000.0", now + 10);
    assert_next(dir, &m, &done, "** Alert 3000.0");
}

#define ROTATED 8

typedef struct Rotation {
    const char *dir;
    GAsyncQueue *orders; /* one for each rotation; the last one ends it */
} Rotation;

static char last_order;

static gpointer rotate(gpointer userdata) {
    Rotation *r = userdata;

    for (unsigned n = 0; g_async_queue_pop(r->orders) != &last_order; n++)
        for (unsigned i = ROTATED; i > 0; i--) {
            g_autofree char *from = g_strdup_printf("%s/alerts.log.%u", r->dir, n + i),
                            *to = g_strdup_printf("%s/alerts.log.%u", r->dir, n + i + 1);

            g_assert_cmpint(rename(from, to), ==, 0);
        }
    return NULL;
}

/* The earliest, also while all change their names. */
static void test_find_next_during_rotation(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    g_autoptr(GAsyncQueue) orders = g_async_queue_new();
    Rotation rotation = {.dir = dir, .orders = orders};
    AlertMark m;
    GThread *thread;

    write_file(dir, "read", "** Alert 1.0", 1);
    write_file(dir, "alerts.log", "** Alert 99.0", 99);
    for (unsigned i = 1; i <= ROTATED; i++) {
        g_autofree char *name = g_strdup_printf("alerts.log.%u", i),
                        *text = g_strdup_printf("** Alert %u.0", 90 - i);

        write_file(dir, name, text, 90 - i);
    }
    m = mark_of(dir, "read", 10);
    thread = g_thread_new("rotate", rotate, &rotation);
    for (unsigned i = 0; i < 2000; i++) {
        AlertFiles done = {};

        g_async_queue_push(orders, dir);
        assert_next(dir, &m, &done, "** Alert 82.0");
    }
    g_async_queue_push(orders, &last_order);
    g_thread_join(thread);
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/alert-file/mark", test_mark);
    g_test_add_func("/alert-file/mark-of-truncated-file", test_mark_of_truncated_file);
    g_test_add_func("/alert-file/bad-text", test_bad_text);
    g_test_add_func("/alert-file/find", test_find);
    g_test_add_func("/alert-file/find-next", test_find_next);
    g_test_add_func("/alert-file/find-next-after-nothing", test_find_next_after_nothing);
    g_test_add_func("/alert-file/find-next-during-rotation", test_find_next_during_rotation);
    return g_test_run();
}
