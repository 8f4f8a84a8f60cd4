/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/program.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/log.h"
#include "basic/strv.h"
#include "proto/text.h"

#define PIECE_SIZE ((size_t)64 * 1024)
#define LINE_MAX_SIZE ((size_t)1024)

extern char **environ;

void program_result_done(ProgramResult *r) {
    free(r->out);
    free(r->err);
    *r = (ProgramResult){};
}

void program_result_pass_on(const ProgramResult *r) {
    if (r->out_size > 0) /* else there is no buffer */
        (void)fwrite(r->out, 1, r->out_size, stdout);
    if (r->err_size > 0)
        (void)fwrite(r->err, 1, r->err_size, stderr);
}

void arguments_done(Arguments *a) {
    strv_free(a->list);
    *a = (Arguments){};
}

void arguments_add(Arguments *a, const char *format, ...) {
    va_list list;
    char *text;
    int n;

    va_start(list, format);
    n = vasprintf(&text, format, list);
    va_end(list);
    if (strv_push(&a->list, &a->n, n < 0 ? NULL : text) < 0)
        a->error = -ENOMEM;
}

/* --- what it writes ------------------------------------------------------------------------- */

static int keep(char **text, size_t *size, const char *piece, size_t n) {
    const size_t kept = MIN(n, PROGRAM_OUTPUT_MAX - *size);
    char *grown = realloc(*text, *size + kept + 1);

    if (!grown)
        return -ENOMEM;
    memcpy(grown + *size, piece, kept);
    *size += kept;
    grown[*size] = 0;
    *text = grown;
    return 0;
}

/* What is done with it. */
typedef struct Observer {
    ProgramOutput on_output; /* NULL: nobody sees it */
    void *userdata;
} Observer;

/* 0: the stream has ended. */
static int read_piece(int fd, bool is_error, const Observer *o, char **text, size_t *size) {
    char piece[PIECE_SIZE];
    const ssize_t n = read(fd, piece, sizeof(piece));

    if (n < 0)
        return errno == EINTR ? 1 : -errno;
    if (o->on_output && n > 0)
        o->on_output(is_error, piece, (size_t)n, o->userdata);
    TRY(keep(text, size, piece, (size_t)n));
    return n > 0;
}

static int collect(int out_fd, int err_fd, const Observer *o, ProgramResult *ret) {
    struct pollfd p[] = {{out_fd, POLLIN, 0}, {err_fd, POLLIN, 0}};
    int r;

    while (p[0].fd >= 0 || p[1].fd >= 0) {
        if (poll(p, 2, -1) < 0) {
            if (errno != EINTR)
                return -errno;
            continue; /* `revents` are those of the round before */
        }
        if (p[0].fd >= 0 && p[0].revents) {
            TRY(r = read_piece(p[0].fd, false, o, &ret->out, &ret->out_size));
            p[0].fd = r > 0 ? p[0].fd : -1;
        }
        if (p[1].fd >= 0 && p[1].revents) {
            TRY(r = read_piece(p[1].fd, true, o, &ret->err, &ret->err_size));
            p[1].fd = r > 0 ? p[1].fd : -1;
        }
    }
    return 0;
}

/* --- its life ------------------------------------------------------------------------------- */

static int spawn(char *const *argv, int input_fd, int out_fd, int err_fd, pid_t *ret) {
    posix_spawn_file_actions_t actions;
    int r;

    if (posix_spawn_file_actions_init(&actions) != 0)
        return -ENOMEM;
    r = input_fd >= 0
            ? posix_spawn_file_actions_adddup2(&actions, input_fd, STDIN_FILENO)
            : posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (r == 0)
        r = posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
    if (r == 0)
        r = posix_spawn_file_actions_adddup2(&actions, err_fd, STDERR_FILENO);
    if (r == 0)
        r = posix_spawnp(ret, argv[0], &actions, NULL, argv, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    return -r;
}

static int reap(pid_t pid, int *ret_status) {
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    *ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return 0;
}

int program_run(const Arguments *a, int input_fd, ProgramResult *ret) {
    return program_follow(a, input_fd, NULL, NULL, ret);
}

int program_follow(const Arguments *a, int input_fd, ProgramOutput on_output, void *userdata,
                   ProgramResult *ret) {
    const Observer observer = {on_output, userdata};
    _cleanup_(program_result_done) ProgramResult result = {};
    _cleanup_close_ int out = -1, err = -1, out_theirs = -1, err_theirs = -1;
    int fds[2], r;
    pid_t pid = -1;

    TRY(a->error);
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    out = fds[0];
    out_theirs = fds[1];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    err = fds[0];
    err_theirs = fds[1];
    TRY(spawn(a->list, input_fd, out_theirs, err_theirs, &pid));
    out_theirs = safe_close(out_theirs);
    err_theirs = safe_close(err_theirs);
    r = collect(out, err, &observer, &result);
    out = safe_close(out);
    err = safe_close(err);
    TRY(reap(pid, &result.status));
    TRY(r);
    *ret = result;
    result = (ProgramResult){};
    return 0;
}

int first_line(const char *text, size_t size, char **ret) {
    const char *end = size > 0 ? memchr(text, '\n', size) : NULL;
    size_t length = MIN(end ? (size_t)(end - text) : size, LINE_MAX_SIZE);
    char *line;

    TRY(utf8_replace_invalid(strempty(text), length, &line));
    for (char *c = line; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
    for (length = strlen(line); length > 0 && line[length - 1] == ' '; length--)
        line[length - 1] = 0;
    *ret = line;
    return 0;
}

int program_call(const Arguments *a) {
    _cleanup_(program_result_done) ProgramResult result = {};
    _cleanup_free_ char *line = NULL;
    const int r = program_run(a, -1, &result);

    if (r < 0)
        return log_error_errno(r, "%s cannot be run: %m", a->list ? a->list[0] : "A program");
    if (result.status == 0)
        return 0;
    TRY(first_line(result.err, result.err_size, &line));
    log_error("%s has failed with status %d%s%s", a->list[0], result.status, *line ? ": " : "",
              line);
    return result.status;
}
