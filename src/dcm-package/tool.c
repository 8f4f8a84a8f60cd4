/* SPDX-License-Identifier: Apache-2.0 */
/* A tool leads its own process group, so that a terminal's Ctrl+C does not reach it, and dpkg below
 * it. */
#include "dcm-package/tool.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/strv.h"

#define LINE_SIZE_MAX ((size_t)2048) /* the rest of a longer line is one more line */

enum { OUT, ERR, STATUS, _STREAM_MAX };

typedef struct Stream {
    int fd;
    char line[LINE_SIZE_MAX + 1];
    size_t size;
} Stream;

typedef struct Run {
    const Tool *tool;
    pid_t pid;
    bool is_asked; /* to end */
    Stream streams[_STREAM_MAX];
    char *kept; /* standard output, if it is wanted */
    size_t kept_size, kept_allocated;
    bool keeps;
} Run;

static int signal_fd = -1;
static bool is_cancelled;

/* What scripts of packages and hooks of apt ask for: nobody is there who could answer. */
static const char *const environment[] = {
    "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
    "LC_ALL=C.UTF-8",
    "TERM=dumb",
    "DEBIAN_FRONTEND=noninteractive",
    "DEBIAN_PRIORITY=critical",
    "APT_LISTCHANGES_FRONTEND=none",
    "APT_LISTBUGS_FRONTEND=none",
    "NEEDRESTART_SUSPEND=dcm-agent",
    "UCF_FORCE_CONFFOLD=1",
    "PYTHONUNBUFFERED=1", /* dnf: a line is told when it is written */
};

/* These may be needed to reach a repository. */
static const char *const passed[] = {"http_proxy", "https_proxy", "ftp_proxy", "no_proxy",
                                     "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY",
                                     "all_proxy",  "ALL_PROXY"};

static int make_environment(char ***ret) {
    _cleanup_(strv_freep) char **all = NULL;
    size_t n = 0;

    for (size_t i = 0; i < ELEMENTSOF(environment); i++)
        TRY(strv_push(&all, &n, strdup(environment[i])));
    for (size_t i = 0; i < ELEMENTSOF(passed); i++) {
        const char *value = getenv(passed[i]);
        char *text = NULL;

        if (value && asprintf(&text, "%s=%s", passed[i], value) < 0)
            return -ENOMEM;
        if (text)
            TRY(strv_push(&all, &n, text));
    }
    *ret = TAKE_PTR(all);
    return 0;
}

/* --- requests to end ------------------------------------------------------------------------ */

int tool_begin(void) {
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return signal_fd < 0 ? -errno : 0;
}

bool tool_is_cancelled(void) {
    struct signalfd_siginfo info;

    while (signal_fd >= 0 && read(signal_fd, &info, sizeof(info)) > 0)
        is_cancelled = true;
    return is_cancelled;
}

bool tool_pause(unsigned msec) {
    struct pollfd polled = {.fd = signal_fd, .events = POLLIN};

    if (!tool_is_cancelled())
        (void)poll(&polled, 1, (int)msec);
    return tool_is_cancelled();
}

/* --- its words ------------------------------------------------------------------------------ */

static void end_line(Run *run, size_t i) {
    Stream *s = &run->streams[i];

    while (s->size > 0 && s->line[s->size - 1] == ' ')
        s->size--;
    s->line[s->size] = 0;
    if (s->size > 0 && i == STATUS)
        run->tool->on_status(s->line, run->tool->userdata);
    else if (s->size > 0 && run->tool->on_line)
        run->tool->on_line(s->line, run->tool->userdata);
    s->size = 0;
}

static void take_lines(Run *run, size_t i, const char *data, size_t size) {
    Stream *s = &run->streams[i];

    for (size_t k = 0; k < size; k++) {
        if (data[k] == '\n' || data[k] == '\r' || s->size == LINE_SIZE_MAX)
            end_line(run, i);
        if (data[k] && !strchr("\n\r", data[k]))
            s->line[s->size++] = data[k];
    }
}

static int keep(Run *run, const char *data, size_t size) {
    char *grown;

    if (run->kept_size + size > PACKAGE_OUTPUT_MAX)
        return -EFBIG;
    if (!run->kept || run->kept_size + size + 1 > run->kept_allocated) {
        const size_t wanted = MAX(2 * run->kept_allocated, run->kept_size + size + 1);

        grown = realloc(run->kept, wanted);
        if (!grown)
            return -ENOMEM;
        run->kept = grown;
        run->kept_allocated = wanted;
    }
    memcpy(run->kept + run->kept_size, data, size);
    run->kept_size += size;
    run->kept[run->kept_size] = 0;
    return 0;
}

/* 1: there may be more later, 0: it is closed. */
static int read_stream(Run *run, size_t i) {
    char data[8192];
    ssize_t n;

    while ((n = read(run->streams[i].fd, data, sizeof(data))) > 0) {
        if (run->keeps && i == OUT)
            TRY(keep(run, data, (size_t)n));
        else
            take_lines(run, i, data, (size_t)n);
    }
    return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* --- its life ------------------------------------------------------------------------------- */

static int add_files(posix_spawn_file_actions_t *a, const int fds[static _STREAM_MAX]) {
    static const int targets[_STREAM_MAX] = {STDOUT_FILENO, STDERR_FILENO, 3};
    int r;

    r = posix_spawn_file_actions_addopen(a, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    for (size_t i = 0; r == 0 && i < _STREAM_MAX; i++)
        if (fds[i] >= 0)
            r = posix_spawn_file_actions_adddup2(a, fds[i], targets[i]);
    return -r;
}

static int spawn_with(const Tool *t, char **env, const int fds[static _STREAM_MAX],
                      posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes,
                      pid_t *ret) {
    sigset_t none;

    (void)sigemptyset(&none);
    (void)posix_spawnattr_setsigmask(attributes, &none);
    (void)posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
    TRY(add_files(actions, fds));
    return -posix_spawnp(ret, t->argv[0], actions, attributes, (char *const *)t->argv, env);
}

static int spawn(const Tool *t, const int fds[static _STREAM_MAX], pid_t *ret) {
    _cleanup_(strv_freep) char **env = NULL;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int r;

    TRY(make_environment(&env));
    if (posix_spawn_file_actions_init(&actions) != 0)
        return -ENOMEM;
    if (posix_spawnattr_init(&attributes) != 0) {
        (void)posix_spawn_file_actions_destroy(&actions);
        return -ENOMEM;
    }
    r = spawn_with(t, env, fds, &actions, &attributes, ret);
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&actions);
    return r;
}

/* Once: a second SIGINT would make apt-get give up dpkg. */
static void ask_to_end(Run *run) {
    if (run->is_asked || !tool_is_cancelled())
        return;
    run->is_asked = true;
    if (run->tool->cancel_signal)
        (void)kill(run->pid, run->tool->cancel_signal);
    if (run->tool->on_line)
        run->tool->on_line("The command was asked to end: what is under way is waited for, so that "
                           "the package database stays consistent.",
                           run->tool->userdata);
}

/* Until it has ended. What its children write later is not waited for: a service that was started
 * may keep the pipe. */
static int follow(Run *run, int pid_fd) {
    struct pollfd polled[_STREAM_MAX + 2] = {{.fd = pid_fd, .events = POLLIN},
                                             {.fd = signal_fd, .events = POLLIN}};
    int r = 0;

    for (size_t i = 0; i < _STREAM_MAX; i++)
        polled[i + 2] = (struct pollfd){.fd = run->streams[i].fd, .events = POLLIN};
    while (!polled[0].revents) {
        if (poll(polled, ELEMENTSOF(polled), -1) < 0 && errno != EINTR)
            return -errno;
        if (polled[1].revents)
            ask_to_end(run);
        for (size_t i = 0; i < _STREAM_MAX; i++) {
            int state = polled[i + 2].revents ? read_stream(run, i) : 1;

            if (state <= 0)
                polled[i + 2].fd = -1;
            r = state < 0 ? state : r;
        }
    }
    for (size_t i = 0; i < _STREAM_MAX; i++) {
        if (polled[i + 2].fd >= 0 && read_stream(run, i) < 0)
            r = -EFBIG;
        end_line(run, i);
    }
    return r;
}

static int reap(pid_t pid) {
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int attend(Run *run) {
    _cleanup_close_ int pid_fd = (int)syscall(SYS_pidfd_open, run->pid, 0);
    int r = pid_fd < 0 ? -errno : follow(run, pid_fd), status = reap(run->pid);

    return r < 0 ? r : status;
}

static void close_all(int fds[static _STREAM_MAX]) {
    for (size_t i = 0; i < _STREAM_MAX; i++)
        fds[i] = safe_close(fds[i]);
}

static int open_pipes(const Tool *t, Run *run, int child_fds[static _STREAM_MAX]) {
    for (size_t i = 0; i < _STREAM_MAX; i++) {
        int fds[2];

        if (i == STATUS && !t->on_status)
            continue;
        if (pipe2(fds, O_CLOEXEC) < 0)
            return -errno;
        run->streams[i].fd = fds[0];
        child_fds[i] = fds[1];
        if (fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0)
            return -errno;
    }
    return 0;
}

static int run_tool(Run *run) {
    int child_fds[_STREAM_MAX] = {-1, -1, -1}, r;

    for (size_t i = 0; i < _STREAM_MAX; i++)
        run->streams[i].fd = -1;
    r = open_pipes(run->tool, run, child_fds);
    if (r >= 0)
        r = spawn(run->tool, child_fds, &run->pid);
    close_all(child_fds);
    if (r >= 0)
        r = attend(run);
    for (size_t i = 0; i < _STREAM_MAX; i++)
        run->streams[i].fd = safe_close(run->streams[i].fd);
    return r;
}

int tool_run(const Tool *t) {
    _cleanup_free_ Run *run = calloc(1, sizeof(*run));

    if (!run)
        return -ENOMEM;
    run->tool = t;
    return run_tool(run);
}

int tool_read(const Tool *t, char **ret) {
    _cleanup_free_ Run *run = calloc(1, sizeof(*run));
    int r;

    if (!run)
        return -ENOMEM;
    run->tool = t;
    run->keeps = true;
    r = run_tool(run);
    if (r >= 0 && !run->kept)
        r = keep(run, "", 0) ?: r;
    if (r < 0)
        free(run->kept);
    else
        *ret = run->kept;
    return r;
}
