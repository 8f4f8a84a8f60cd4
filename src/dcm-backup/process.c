/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-backup/process.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_FREE_FD 64 /* above all numbers that a program gets */

static int copy_high(int fd) {
    const int copy = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);

    return copy < 0 ? -errno : copy;
}

/* First all are copied out of the way, because one may have the number that another gets. */
static int arrange_fds(const ProcessSpec *s) {
    const int null = s->in_fd < 0 ? open("/dev/null", O_RDONLY | O_CLOEXEC) : s->in_fd;
    const int given[] = {null, s->out_fd, s->error_fd};
    int copies[3 + PROCESS_FDS_MAX];
    const size_t n = 3 + s->n_fds;

    for (size_t i = 0; i < n; i++) {
        copies[i] = copy_high(i < 3 ? given[i] : s->fds[i - 3]);
        TRY(copies[i]);
    }
    for (size_t i = 0; i < n; i++)
        if (dup2(copies[i], (int)i) < 0)
            return -errno;
    return 0;
}

static int become(const ProcessSpec *s, pid_t parent) {
    sigset_t none;

    (void)signal(SIGPIPE, SIG_DFL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (setpgid(0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return -errno;
    if (getppid() != parent)
        return -ESRCH;
    TRY(arrange_fds(s));
    if (s->prepare)
        TRY(s->prepare(s->userdata));
    if (s->directory && chdir(s->directory) < 0)
        return -errno;
    (void)execvp(s->argv[0], (char *const *)s->argv);
    return -errno;
}

int process_start(const ProcessSpec *s, pid_t *ret_pid, int *ret_pid_fd) {
    const pid_t parent = getpid(), pid = fork();
    int fd;

    if (pid < 0)
        return -errno;
    if (pid == 0) {
        const int r = become(s, parent);

        (void)dprintf(STDERR_FILENO, "%s cannot be run: %s\n", s->argv[0], strerror(-r));
        _exit(PROCESS_CANNOT_RUN);
    }
    (void)setpgid(pid, pid); /* whoever comes first */
    fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0) {
        const int error = errno;

        process_kill(pid);
        (void)process_reap(pid);
        return -error;
    }
    *ret_pid = pid;
    *ret_pid_fd = fd;
    return 0;
}

int process_reap(pid_t pid) {
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : PROCESS_BY_SIGNAL + WTERMSIG(status);
}

void process_kill(pid_t pid) {
    (void)kill(-pid, SIGKILL);
    (void)kill(pid, SIGKILL);
}
