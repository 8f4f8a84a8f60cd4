/* SPDX-License-Identifier: Apache-2.0 */
/* The script starts as systemd would start it: default signal dispositions, no blocked signals, no
 * descriptor above standard error, and its own process group, so that `kill 0` in the script does
 * not reach dcm-run. */
#include "dcm-run/script.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/fd-util.h"

#define FIRST_FD 3

static int make_pipe(int *ret_read, int *ret_write) {
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    if (fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0) {
        int r = -errno;

        safe_close(fds[0]);
        safe_close(fds[1]);
        return r;
    }
    *ret_read = fds[0];
    *ret_write = fds[1];
    return 0;
}

static int prepare_attributes(posix_spawnattr_t *a) {
    sigset_t all, none;
    int r;

    (void)sigfillset(&all);
    (void)sigemptyset(&none);
    r = posix_spawnattr_setsigdefault(a, &all);
    if (r == 0)
        r = posix_spawnattr_setsigmask(a, &none);
    if (r == 0)
        r = posix_spawnattr_setpgroup(a, 0);
    if (r == 0)
        r = posix_spawnattr_setflags(a, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
                                            POSIX_SPAWN_SETPGROUP);
    return -r;
}

static int prepare_files(posix_spawn_file_actions_t *a, int out_fd, int err_fd) {
    int r;

    r = posix_spawn_file_actions_adddup2(a, out_fd, STDOUT_FILENO);
    if (r == 0)
        r = posix_spawn_file_actions_adddup2(a, err_fd, STDERR_FILENO);
    if (r == 0)
        r = posix_spawn_file_actions_addclosefrom_np(a, FIRST_FD);
    return -r;
}

static int spawn(char *const argv[], int out_fd, int err_fd, pid_t *ret) {
    _cleanup_(posix_spawn_file_actions_destroy) posix_spawn_file_actions_t files = {};
    _cleanup_(posix_spawnattr_destroy) posix_spawnattr_t attributes = {};

    if (posix_spawn_file_actions_init(&files) != 0)
        return -ENOMEM;
    if (posix_spawnattr_init(&attributes) != 0)
        return -ENOMEM;
    TRY(prepare_attributes(&attributes));
    TRY(prepare_files(&files, out_fd, err_fd));
    return -posix_spawnp(ret, argv[0], &files, &attributes, argv, environ);
}

int script_start(char *const argv[], Script *ret) {
    _cleanup_close_ int out_read = -1, out_write = -1, err_read = -1, err_write = -1;
    pid_t pid;
    int pid_fd, r;

    r = make_pipe(&out_read, &out_write);
    if (r >= 0)
        r = make_pipe(&err_read, &err_write);
    if (r >= 0)
        r = spawn(argv, out_write, err_write, &pid);
    if (r < 0)
        return r;

    /* the child is not reaped before script_reap(), so its number is not reused */
    pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pid_fd < 0) {
        r = -errno;
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        return r;
    }
    *ret = (Script){pid, pid_fd, TAKE_FD(out_read), TAKE_FD(err_read)};
    return 0;
}

void script_done(Script *s) {
    s->pid_fd = safe_close(s->pid_fd);
    s->out_fd = safe_close(s->out_fd);
    s->err_fd = safe_close(s->err_fd);
}

bool script_has_ended(const Script *s) {
    siginfo_t info = {};

    return waitid(P_PID, (id_t)s->pid, &info, WEXITED | WNOHANG | WNOWAIT) >= 0 &&
           info.si_pid == s->pid;
}

int script_reap(Script *s, int *ret_status, int *ret_signal) {
    int status;

    while (waitpid(s->pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    *ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    *ret_signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    return 0;
}
