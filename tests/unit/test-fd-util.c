/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that descriptors are closed once, errno survives that, and writes are whole. */
#include <fcntl.h>
#include <glib.h>
#include <unistd.h>

#include "basic/fd-util.h"

static void test_close(void) {
    int fd, copy;

    fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    g_assert_cmpint(fd, >=, 0);
    copy = fd;
    errno = EXDEV;
    fd = safe_close(fd);
    g_assert_cmpint(fd, ==, -1);
    g_assert_cmpint(errno, ==, EXDEV);
    g_assert_cmpint(fcntl(copy, F_GETFD), ==, -1);
    errno = EXDEV;
    g_assert_cmpint(safe_close(-1), ==, -1);
    g_assert_cmpint(errno, ==, EXDEV);
}

static void test_take(void) {
    int fd = 7;

    g_assert_cmpint(TAKE_FD(fd), ==, 7);
    g_assert_cmpint(fd, ==, -1);
}

static void test_write_full(void) {
    _cleanup_close_ int full = -1, null = -1;
    g_autofree char *data = g_malloc0(1 << 20);

    null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    g_assert_cmpint(write_full(null, data, 1 << 20), ==, 0);
    g_assert_cmpint(write_full(full, data, 1), ==, -ENOSPC);
    g_assert_cmpint(write_full(full, data, 0), ==, 0);
    g_assert_cmpint(write_full(-1, data, 1), ==, -EBADF);
}

static gpointer read_slowly(gpointer p) {
    char buf[4096];
    size_t total = 0;
    ssize_t n;

    while ((n = read(GPOINTER_TO_INT(p), buf, sizeof(buf))) > 0)
        total += (size_t)n;
    return GSIZE_TO_POINTER(total);
}

static void test_short_writes(void) {
    g_autofree char *data = g_malloc0(1 << 20);
    GThread *reader;
    int fds[2];

    g_assert_cmpint(pipe2(fds, O_CLOEXEC), ==, 0);
    reader = g_thread_new("reader", read_slowly, GINT_TO_POINTER(fds[0]));
    g_assert_cmpint(write_full(fds[1], data, 1 << 20), ==, 0);
    safe_close(fds[1]);
    g_assert_cmpuint(GPOINTER_TO_SIZE(g_thread_join(reader)), ==, 1 << 20);
    safe_close(fds[0]);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fd-util/close", test_close);
    g_test_add_func("/fd-util/take", test_take);
    g_test_add_func("/fd-util/write-full", test_write_full);
    g_test_add_func("/fd-util/short-writes", test_short_writes);
    return g_test_run();
}
