/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that dcm-run, when a script has ended, copies what its pipe holds at that moment, and no
 * byte more, however fast another process fills it again. */
#include <fcntl.h>
#include <glib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "dcm-run/output.h"

#define DEADLINE_SEC 60

static int refilled_fd = -1; /* full again after each read: the fastest writer there can be */

static void fill(int fd) {
    static const char data[65536];

    while (write(fd, data, sizeof(data)) > 0)
        ;
    while (write(fd, data, 1) > 0)
        ;
}

/* The linker puts them in the place of read(), and of what _FORTIFY_SOURCE makes of it. */
ssize_t __wrap_read(int fd, void *buf, size_t size);
ssize_t __wrap___read_chk(int fd, void *buf, size_t size, size_t buf_size);

ssize_t __wrap_read(int fd, void *buf, size_t size) {
    ssize_t n = syscall(SYS_read, fd, buf, size);

    if (refilled_fd >= 0)
        fill(refilled_fd);
    return n;
}

ssize_t __wrap___read_chk(int fd, void *buf, size_t size, size_t buf_size) {
    g_assert_cmpuint(size, <=, buf_size);
    return __wrap_read(fd, buf, size);
}

static void drain(bool refill, int capacity, size_t held, uint64_t expected) {
    _cleanup_close_ int file_fd = -1, write_fd = -1;
    int fds[2];
    Output o;

    file_fd = memfd_create("output", MFD_CLOEXEC);
    g_assert_cmpint(pipe2(fds, O_CLOEXEC | O_NONBLOCK), ==, 0);
    write_fd = fds[1];
    capacity = fcntl(write_fd, F_SETPIPE_SZ, capacity);
    g_assert_cmpint(capacity, >, 0);
    output_init(&o, file_fd, JOB_OUTPUT_MIN);
    o.pipe_fd = fds[0];
    for (size_t i = 0; i < held; i++)
        g_assert_cmpint(write(write_fd, "x", 1), ==, 1);
    if (refill)
        fill(write_fd);
    refilled_fd = refill ? write_fd : -1;
    output_drain(&o);
    refilled_fd = -1;
    g_assert_cmpuint(o.total, ==, expected);
    g_assert_cmpint(o.pipe_fd, >=, 0);
    output_done(&o);
}

static void test_drain(void) {
    static const int capacities[] = {4096, 65536, 1048576};

    (void)alarm(DEADLINE_SEC); /* a drain that has no bound does not end */
    for (size_t i = 0; i < ELEMENTSOF(capacities); i++)
        drain(true, capacities[i], 0, (uint64_t)capacities[i]);
    drain(false, 65536, 0, 0);
    drain(false, 65536, 777, 777);
    (void)alarm(0);
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/run-output/drain", test_drain);
    return g_test_run();
}
