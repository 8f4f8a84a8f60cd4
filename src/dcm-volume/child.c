/* SPDX-License-Identifier: Apache-2.0 */
/* A child leads its own process group, so that what it starts can be killed with it. It reads
 * nothing, and writes into one pipe. */
#include "dcm-volume/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/strv.h"
#include "basic/time-util.h"

#define CALL_USEC (120 * USEC_PER_SEC)
#define GRACE_USEC (5 * USEC_PER_SEC)
#define LINE_SIZE_MAX ((size_t)1024) /* of a child; the rest of a longer line is one more line */
#define TAIL_SIZE_MAX ((size_t)1500) /* in an error message */

extern char **environ;

/* What the child writes, until its line is complete. */
typedef struct Output {
    const Child *child;
    char line[LINE_SIZE_MAX + 1];
    size_t size;
    char tail[TAIL_SIZE_MAX + 1];
    size_t tail_size;
} Output;

/* --- its words ------------------------------------------------------------------------------ */

static void keep_in_tail(Output *o, const char *line, size_t size) {
    size_t drop;

    if (o->tail_size + size + 1 > TAIL_SIZE_MAX) {
        drop = MIN(o->tail_size, o->tail_size + size + 1 - TAIL_SIZE_MAX);
        memmove(o->tail, o->tail + drop, o->tail_size - drop);
        o->tail_size -= drop;
    }
    if (o->tail_size > 0)
        o->tail[o->tail_size++] = '\n';
    memcpy(o->tail + o->tail_size, line, size);
    o->tail_size += size;
}

static void end_line(Output *o) {
    while (o->size > 0 && o->line[o->size - 1] == ' ')
        o->size--;
    o->line[o->size] = 0;
    if (o->size > 0) {
        keep_in_tail(o, o->line, o->size);
        if (o->child->on_line)
            o->child->on_line(o->line, o->child->userdata);
    }
    o->size = 0;
}

/* A figure that counts up is overwritten by backspaces or carriage returns: each is a line. */
static void take_output(Output *o, const char *data, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (strchr("\n\r\b", data[i]) || o->size == LINE_SIZE_MAX)
            end_line(o);
        if (!strchr("\n\r\b", data[i]))
            o->line[o->size++] = data[i];
    }
}

/* True: there may be more later. */
static bool read_output(Output *o, int fd) {
    char data[4096];
    ssize_t n;

    while ((n = read(fd, data, sizeof(data))) > 0)
        take_output(o, data, (size_t)n);
    return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* --- its life ------------------------------------------------------------------------------- */

/* Where the key lies is none of its business: who needs the key has it as a descriptor. */
static int make_environment(char *const *more, char ***ret) {
    static const char secrets[] = "CREDENTIALS_DIRECTORY=";
    _cleanup_(strv_freep) char **all = NULL;
    size_t n = 0;

    for (char **e = environ; *e; e++)
        if (strncmp(*e, secrets, strlen(secrets)) != 0)
            TRY(strv_push(&all, &n, strdup(*e)));
    for (char *const *e = more; e && *e; e++)
        TRY(strv_push(&all, &n, strdup(*e)));
    *ret = TAKE_PTR(all);
    return 0;
}

static int add_files(posix_spawn_file_actions_t *actions, int out_fd, int key_fd) {
    int r;

    r = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (r == 0)
        r = posix_spawn_file_actions_adddup2(actions, out_fd, STDOUT_FILENO);
    if (r == 0)
        r = posix_spawn_file_actions_adddup2(actions, out_fd, STDERR_FILENO);
    /* dup2() onto itself clears close-on-exec, too: posix_spawn(3) */
    if (r == 0 && key_fd >= 0)
        r = posix_spawn_file_actions_adddup2(actions, key_fd, CHILD_KEY_FD);
    return -r;
}

static int spawn(const Child *c, char **env, int out_fd, pid_t *ret) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int r;

    if (posix_spawn_file_actions_init(&actions) != 0)
        return -ENOMEM;
    if (posix_spawnattr_init(&attributes) != 0) {
        (void)posix_spawn_file_actions_destroy(&actions);
        return -ENOMEM;
    }
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    r = add_files(&actions, out_fd, c->key_fd);
    if (r >= 0)
        r = -posix_spawnp(ret, c->argv[0], &actions, &attributes, (char *const *)c->argv, env);
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&actions);
    return r;
}

static int wait_a_moment(struct pollfd polled[static 2], uint64_t until_usec) {
    uint64_t now = now_usec(CLOCK_BOOTTIME);
    int left_msec = until_usec > now ? (int)MIN((until_usec - now) / 1000 + 1, (uint64_t)60000) : 0;

    if (poll(polled, 2, left_msec) < 0 && errno != EINTR)
        return -errno;
    return now_usec(CLOCK_BOOTTIME) >= until_usec ? -ETIMEDOUT : 0;
}

/* Until it has ended, or its time is up. What it left in the pipe is read, too; what its children
 * write later is not waited for. */
static int follow(Output *o, int pid_fd, int out_fd, uint64_t until_usec) {
    struct pollfd polled[] = {{.fd = pid_fd, .events = POLLIN}, {.fd = out_fd, .events = POLLIN}};
    int r = 0;

    while (r >= 0 && !polled[0].revents) {
        r = wait_a_moment(polled, until_usec);
        if (r < 0 && polled[0].revents)
            r = 0;
        if (polled[1].revents && !read_output(o, out_fd))
            polled[1].fd = -1;
    }
    if (polled[1].fd >= 0)
        (void)read_output(o, out_fd);
    end_line(o);
    return r;
}

static int reap(pid_t pid) {
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* A tool that writes gets a moment to end in order. */
static void end_group(pid_t pid, int pid_fd) {
    struct pollfd polled = {.fd = pid_fd, .events = POLLIN};

    (void)kill(-pid, SIGTERM);
    (void)poll(&polled, 1, GRACE_USEC / 1000);
    (void)kill(-pid, SIGKILL);
}

static int attend(const Child *c, pid_t pid, int out_fd, Output *o) {
    _cleanup_close_ int pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
    int r = pid_fd < 0 ? -errno : 0, status;

    if (r >= 0)
        r = follow(o, pid_fd, out_fd, now_usec(CLOCK_BOOTTIME) + c->timeout_usec);
    if (r < 0)
        end_group(pid, pid_fd);
    status = reap(pid);
    return r < 0 ? r : status;
}

int child_run(const Child *c, char **ret_tail) {
    _cleanup_(strv_freep) char **env = NULL;
    _cleanup_free_ Output *o = NULL;
    int pipe_fds[2], r;
    pid_t pid = -1;

    o = calloc(1, sizeof(*o));
    if (!o)
        return -ENOMEM;
    o->child = c;
    TRY(make_environment(c->environment, &env));
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return -errno;
    r = fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK) < 0 ? -errno : spawn(c, env, pipe_fds[1], &pid);
    (void)close(pipe_fds[1]);
    if (r >= 0)
        r = attend(c, pid, pipe_fds[0], o);
    (void)close(pipe_fds[0]);
    if (ret_tail && r != -ENOMEM) {
        *ret_tail = strndup(o->tail, o->tail_size);
        if (!*ret_tail)
            return -ENOMEM;
    }
    return r;
}

int child_call(const char *const *argv, char **ret_tail) {
    const Child c = {.argv = argv, .key_fd = -1, .timeout_usec = CALL_USEC};

    return child_run(&c, ret_tail);
}
