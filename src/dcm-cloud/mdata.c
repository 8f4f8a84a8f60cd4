/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-cloud/mdata.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/time-util.h"

extern char **environ;

static int spawn(const char *program, const char *key, int out_fd, pid_t *ret) {
    char *arguments[] = {(char *)program, (char *)key, NULL};
    posix_spawn_file_actions_t actions;
    int r;

    TRY(-posix_spawn_file_actions_init(&actions));
    r = -posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (r >= 0)
        r = -posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
    if (r >= 0)
        r = -posix_spawn(ret, program, &actions, NULL, arguments, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    return r;
}

/* Reads up to the end of the pipe. */
static int read_until(int fd, uint64_t deadline_usec, size_t size_max, char **ret,
                      size_t *ret_size) {
    _cleanup_free_ char *text = malloc(size_max + 1);
    size_t size = 0;

    if (!text)
        return -ENOMEM;
    for (;;) {
        uint64_t now = now_usec(CLOCK_BOOTTIME);
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t n;

        if (now >= deadline_usec || poll(&p, 1, (int)((deadline_usec - now) / USEC_PER_MSEC)) == 0)
            return -ETIMEDOUT;
        n = read(fd, text + size, size_max + 1 - size);
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return -errno;
        if (n == 0)
            break;
        size += n > 0 ? (size_t)n : 0;
        if (size > size_max)
            return -EFBIG;
    }
    text[size] = 0;
    *ret = TAKE_PTR(text);
    *ret_size = size;
    return 0;
}

/* The program may have closed its output without exiting. */
static int await_end(pid_t pid, uint64_t deadline_usec) {
    _cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    uint64_t now = now_usec(CLOCK_BOOTTIME);

    if (fd < 0)
        return -errno;
    return now < deadline_usec && poll(&p, 1, (int)((deadline_usec - now) / USEC_PER_MSEC)) > 0
               ? 0
               : -ETIMEDOUT;
}

static int run(const char *program, const Question *q, const char *key, size_t size_max, char **ret,
               size_t *ret_size) {
    _cleanup_close_ int read_fd = -1, write_fd = -1;
    _cleanup_free_ char *text = NULL;
    int fds[2], status = 0, r;
    size_t size = 0;
    pid_t pid;

    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    read_fd = fds[0];
    write_fd = fds[1];
    TRY(spawn(program, key, write_fd, &pid));
    write_fd = safe_close(write_fd);
    r = read_until(read_fd, q->deadline_usec, size_max, &text, &size);
    if (r >= 0)
        r = await_end(pid, q->deadline_usec);
    if (r < 0)
        (void)kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (r < 0)
        return r;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return -ENOENT;
    *ret = TAKE_PTR(text);
    *ret_size = size;
    return 0;
}

int mdata_get(const Question *q, const char *key, size_t size_max, char **ret, size_t *ret_size) {
    static const char *const programs[] = {"/usr/sbin/mdata-get", "/lib/smartdc/mdata-get"};
    int r = -ENOENT;

    for (size_t i = 0; i < ELEMENTSOF(programs) && r == -ENOENT; i++) {
        _cleanup_free_ char *path = NULL;

        if (asprintf(&path, "%s%s", q->root, programs[i]) < 0)
            return -ENOMEM;
        r = run(path, q, key, size_max, ret, ret_size);
    }
    return r;
}
