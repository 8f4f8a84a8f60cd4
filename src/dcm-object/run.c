/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-object/run.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/time-util.h"
#include "dcm-object/channel.h"

#define PIECE ((size_t)64 * 1024)
#define CANNOT_RUN 127 /* of dcm-object-run */

typedef struct Run {
    Session *session;
    const RunSpec *spec;
    RunResult *result;
    Failure *failure;
    int log_fd;    /* rclone's standard error */
    int output_fd; /* its standard output */
    int input_fd;  /* the write end of its standard input */
    bool has_ended;
    bool is_source_empty;
    uint64_t moved_usec; /* when something moved last */
    char *piece;         /* of the input, on its way */
    size_t piece_size, piece_sent;
    char line[OBJECT_LINE_MAX]; /* of the log; what is longer is skipped */
    size_t line_size;
} Run;

static void run_done(Run *r) {
    r->log_fd = safe_close(r->log_fd);
    r->output_fd = safe_close(r->output_fd);
    r->input_fd = safe_close(r->input_fd);
    free(r->piece);
}

static int set_nonblocking(int fd) {
    return fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

typedef struct Ends {
    int fds[CHANNEL_FDS_MAX]; /* rclone's streams, and the write end of its input */
} Ends;

static void ends_done(Ends *e) {
    for (size_t i = 0; i < CHANNEL_FDS_MAX; i++)
        safe_close(e->fds[i]);
}

static int make_pipe(int *ret_read, int *ret_write) {
    int pair[2];

    if (pipe2(pair, O_CLOEXEC) < 0)
        return -errno;
    *ret_read = pair[0];
    *ret_write = pair[1];
    return 0;
}

/* Its end of a pipe blocks: a program need not expect anything else. */
static int make_streams(Run *r, Ends *e) {
    TRY(make_pipe(&r->output_fd, &e->fds[1]));
    TRY(make_pipe(&r->log_fd, &e->fds[2]));
    if (r->spec->input_fd >= 0) {
        TRY(make_pipe(&e->fds[0], &r->input_fd));
        TRY(set_nonblocking(r->input_fd));
        e->fds[3] = fcntl(r->input_fd, F_DUPFD_CLOEXEC, 0);
        r->piece = malloc(PIECE);
        if (!r->piece)
            return -ENOMEM;
    } else
        e->fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    TRY(set_nonblocking(r->output_fd));
    TRY(set_nonblocking(r->log_fd));
    return e->fds[0] < 0 || (r->input_fd >= 0 && e->fds[3] < 0) ? -errno : 0;
}

static int order(Run *r) {
    _cleanup_(ends_done) Ends e = {{-1, -1, -1, -1}};

    TRY(make_streams(r, &e));
    return channel_send_strings(r->session->socket, CHANNEL_RUN, r->spec->arguments, e.fds,
                                e.fds[3] >= 0 ? 4 : 3);
}

static void end_line(Run *r) {
    evidence_add_line(&r->result->evidence, r->line, r->line_size);
    r->line_size = 0;
}

static void take_log(Run *r, const char *data, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (data[i] == '\n')
            end_line(r);
        else if (r->line_size < sizeof(r->line))
            r->line[r->line_size++] = data[i];
}

/* Reads what is there; closes the descriptor at its end. */
static int read_piece(int *fd, char *data, size_t *ret_size) {
    ssize_t n = read(*fd, data, PIECE);

    if (n < 0 && errno != EAGAIN && errno != EINTR)
        return -errno;
    if (n == 0)
        *fd = safe_close(*fd);
    *ret_size = n > 0 ? (size_t)n : 0;
    return 0;
}

static int on_log(Run *r) {
    char data[PIECE];
    size_t size;

    TRY(read_piece(&r->log_fd, data, &size));
    take_log(r, data, size);
    if (r->log_fd < 0 && r->line_size > 0)
        end_line(r);
    return 0;
}

static int fail(Run *r, int error) {
    r->result->error = error;
    return -ECANCELED;
}

static int on_output(Run *r) {
    char data[PIECE];
    size_t size;
    int k = 0;

    TRY(read_piece(&r->output_fd, data, &size));
    if (size > 0 && r->spec->on_output)
        k = r->spec->on_output(r->spec->userdata, data, size);
    return k < 0 ? fail(r, k) : 0;
}

/* The end of the input, and not of this program. */
static int complete(Run *r) {
    r->input_fd = safe_close(r->input_fd);
    return channel_send(r->session->socket, CHANNEL_COMPLETE, NULL, 0, NULL, 0);
}

static int on_source(Run *r) {
    ssize_t n = read(r->spec->input_fd, r->piece, PIECE);
    int k = 0;

    if (n < 0)
        return errno == EINTR || errno == EAGAIN ? 0 : fail(r, -errno);
    r->is_source_empty = n == 0;
    r->piece_size = (size_t)n;
    r->piece_sent = 0;
    r->result->input_size += (size_t)n;
    if (r->spec->on_input) /* nothing: the end */
        k = r->spec->on_input(r->spec->userdata, r->piece, r->piece_size);
    if (k < 0)
        return fail(r, k);
    return n == 0 ? complete(r) : 0;
}

/* A reader that is gone says why in its log. */
static int on_sink(Run *r) {
    ssize_t n = write(r->input_fd, r->piece + r->piece_sent, r->piece_size - r->piece_sent);

    if (n < 0 && errno == EPIPE)
        r->input_fd = safe_close(r->input_fd);
    else if (n < 0 && errno != EAGAIN && errno != EINTR)
        return -errno;
    if (n > 0)
        r->piece_sent += (size_t)n;
    return 0;
}

static int on_channel(Run *r) {
    _cleanup_(channel_message_done) ChannelMessage m = {};
    int status, k;

    k = channel_receive(r->session->socket, &m);
    if (k <= 0)
        return k < 0 ? k : -ECONNRESET;
    if (m.type != CHANNEL_STATUS || m.size != sizeof(status))
        return -EBADMSG;
    memcpy(&status, m.text, sizeof(status));
    r->result->exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    r->has_ended = true;
    return 0;
}

/* Until when nothing may move; while the source is silent, rclone is not to blame. */
static uint64_t deadline_of(const Run *r, bool waits_for_source) {
    const uint64_t moved = r->moved_usec + r->session->patience_usec;

    return waits_for_source ? r->session->deadline_usec : MIN(r->session->deadline_usec, moved);
}

static int expire(Run *r) {
    const Session *s = r->session;

    if (now_usec(CLOCK_BOOTTIME) >= s->deadline_usec)
        return failure_set(r->failure, FAILURE_TIMEOUT, "It took longer than it may take");
    return failure_set(r->failure, FAILURE_TIMEOUT,
                       "The storage has neither taken nor sent anything for %" PRIu64 " s%s%s",
                       s->patience_usec / USEC_PER_SEC, *r->result->evidence.text ? ": " : "",
                       r->result->evidence.text);
}

enum { CHANNEL, LOG, OUTPUT, SOURCE, SINK, _FDS };

static void choose(const Run *r, struct pollfd p[static _FDS]) {
    const bool is_piece_sent = r->piece_sent == r->piece_size;

    p[CHANNEL] = (struct pollfd){r->has_ended ? -1 : r->session->socket, POLLIN, 0};
    p[LOG] = (struct pollfd){r->log_fd, POLLIN, 0};
    p[OUTPUT] = (struct pollfd){r->output_fd, POLLIN, 0};
    p[SOURCE] = (struct pollfd){
        r->input_fd >= 0 && is_piece_sent && !r->is_source_empty ? r->spec->input_fd : -1, POLLIN,
        0};
    p[SINK] = (struct pollfd){r->input_fd >= 0 && !is_piece_sent ? r->input_fd : -1, POLLOUT, 0};
}

static int handle(Run *r, const struct pollfd p[static _FDS]) {
    static int (*const handlers[_FDS])(Run *) = {on_channel, on_log, on_output, on_source, on_sink};

    for (size_t i = 0; i < _FDS; i++) {
        if (!p[i].revents)
            continue;
        TRY(handlers[i](r));
        if (i != LOG)
            r->moved_usec = now_usec(CLOCK_BOOTTIME);
    }
    return 0;
}

static int step(Run *r) {
    struct pollfd p[_FDS];
    uint64_t now, deadline;
    int n;

    choose(r, p);
    now = now_usec(CLOCK_BOOTTIME);
    deadline = deadline_of(r, p[SOURCE].fd >= 0);
    if (now >= deadline)
        return expire(r);
    n = poll(p, _FDS, (int)MIN((deadline - now) / USEC_PER_MSEC + 1, (uint64_t)INT32_MAX));
    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    return n > 0 ? handle(r, p) : 0;
}

static int follow(Run *r) {
    r->moved_usec = now_usec(CLOCK_BOOTTIME);
    TRY(order(r));
    while (!r->has_ended || r->log_fd >= 0 || r->output_fd >= 0)
        TRY(step(r));
    return 0;
}

static int explain(Run *r, int error) {
    if (error == -EIO || error == -ECANCELED)
        return error;
    if (error == -ECONNRESET || error == -EPIPE)
        return failure_set(r->failure, FAILURE_OTHER, "The unit %s has ended: see journalctl -u %s",
                           r->session->unit, r->session->unit);
    return failure_set(r->failure, FAILURE_OTHER, "rclone cannot be run: %s", strerror(-error));
}

int run_rclone(Session *s, const RunSpec *spec, RunResult *ret, Failure *f) {
    _cleanup_(run_done) Run r = {.session = s,
                                 .spec = spec,
                                 .result = ret,
                                 .failure = f,
                                 .log_fd = -1,
                                 .output_fd = -1,
                                 .input_fd = -1};
    int k;

    *ret = (RunResult){};
    *f = (Failure){};
    k = session_start(s, f);
    if (k >= 0)
        k = follow(&r);
    if (k < 0) {
        session_done(s);
        return explain(&r, k);
    }
    if (ret->exit_status == CANNOT_RUN)
        return failure_set(f, FAILURE_OTHER,
                           "rclone cannot be run: install the package rclone, which has "
                           "/usr/bin/rclone");
    return 0;
}
