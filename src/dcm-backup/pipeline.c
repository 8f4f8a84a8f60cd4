/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-backup/pipeline.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/time-util.h"

#define STAGES_MAX 8u
#define PIECE ((size_t)64 * 1024)
#define TAIL_MAX ((size_t)1500)
#define CAUSE_MSEC 2000 /* in which a program has ended that has closed its output */
#define RUNNING (-1)
#define SIGPIPE_STATUS (PROCESS_BY_SIGNAL + SIGPIPE)
#define PEEK_MSEC 20 /* until more may have come */

typedef struct Process {
    char *name;
    pid_t pid;
    int pid_fd, out_fd, error_fd;
    bool is_sink;
    int feed_fd, confirm_fd; /* of a sink */
    size_t fed;              /* of the piece */
    int status, status_max;
    char *out;
    size_t out_size;
    char tail[TAIL_MAX + 1];
    size_t tail_size;
} Process;

struct Pipeline {
    uint64_t deadline_usec;
    Process stages[STAGES_MAX];
    size_t n;
    int next_fd; /* what the last producer puts out */
    char piece[PIECE];
    size_t piece_size;
    bool is_source_empty, is_complete;
    uint64_t size;
    Sha256 sha256;
    char *error;
    int (*check)(void *userdata);
    void *userdata;
    void (*on_piece)(size_t size, void *userdata);
    void *piece_userdata;
};

Pipeline *pipeline_new(uint64_t deadline_usec) {
    Pipeline *p = calloc(1, sizeof(*p));

    if (p) {
        p->deadline_usec = deadline_usec;
        p->next_fd = -1;
        sha256_init(&p->sha256);
    }
    return p;
}

/* --- what the programs say ------------------------------------------------------------------- */

static void keep_tail(Process *s, const char *data, size_t size) {
    const size_t kept = MIN(size, TAIL_MAX);
    const size_t drop = s->tail_size + kept > TAIL_MAX ? s->tail_size + kept - TAIL_MAX : 0;

    memmove(s->tail, s->tail + drop, s->tail_size - drop);
    s->tail_size -= drop;
    memcpy(s->tail + s->tail_size, data + size - kept, kept);
    s->tail_size += kept;
}

static int keep_output(Process *s, const char *data, size_t size) {
    char *grown;

    if (s->out_size + size > BACKUP_OUTPUT_MAX)
        return -ENOBUFS;
    grown = realloc(s->out, s->out_size + size + 1);
    if (!grown)
        return -ENOMEM;
    memcpy(grown + s->out_size, data, size);
    s->out = grown;
    s->out_size += size;
    grown[s->out_size] = 0;
    return 0;
}

/* Reads what is there; closes at the end. */
static int drain(Process *s, int *fd, bool is_error) {
    char data[4096];
    ssize_t n;

    while ((n = read(*fd, data, sizeof(data))) > 0)
        if (is_error)
            keep_tail(s, data, (size_t)n);
        else
            TRY(keep_output(s, data, (size_t)n));
    if (n == 0 || (errno != EAGAIN && errno != EINTR))
        *fd = safe_close(*fd);
    return 0;
}

/* --- life ------------------------------------------------------------------------------------ */

static void kill_all(Pipeline *p) {
    for (size_t i = 0; i < p->n; i++)
        if (p->stages[i].status == RUNNING)
            process_kill(p->stages[i].pid);
    for (size_t i = 0; i < p->n; i++)
        if (p->stages[i].status == RUNNING) {
            p->stages[i].status = process_reap(p->stages[i].pid);
            if (p->stages[i].error_fd >= 0)
                (void)drain(&p->stages[i], &p->stages[i].error_fd, true);
        }
}

Pipeline *pipeline_free(Pipeline *p) {
    if (!p)
        return NULL;
    kill_all(p);
    for (size_t i = 0; i < p->n; i++) {
        Process *s = &p->stages[i];

        safe_close(s->pid_fd);
        safe_close(s->out_fd);
        safe_close(s->error_fd);
        safe_close(s->feed_fd);
        safe_close(s->confirm_fd);
        free(s->name);
        free(s->out);
    }
    safe_close(p->next_fd);
    free(p->error);
    free(p);
    return NULL;
}

void pipeline_set_check(Pipeline *p, int (*check)(void *userdata), void *userdata) {
    p->check = check;
    p->userdata = userdata;
}

void pipeline_set_counter(Pipeline *p, void (*on_piece)(size_t size, void *userdata),
                          void *userdata) {
    p->on_piece = on_piece;
    p->piece_userdata = userdata;
}

/* The first failure counts: others follow from it. */
static int _printf_(2, 3) fail(Pipeline *p, const char *format, ...) {
    va_list list;

    if (p->error)
        return -EIO;
    va_start(list, format);
    if (vasprintf(&p->error, format, list) < 0)
        p->error = NULL;
    va_end(list);
    return -EIO;
}

/* --- start ----------------------------------------------------------------------------------- */

static int set_nonblocking(int fd) {
    return fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int open_pipe(int *ret_read, int *ret_write) {
    int pair[2];

    if (pipe2(pair, O_CLOEXEC) < 0)
        return -errno;
    *ret_read = pair[0];
    *ret_write = pair[1];
    return 0;
}

/* `ours` does not block, and is the end that is read if `we_read`. */
static int make_pipe(bool we_read, int *ret_ours, int *ret_theirs) {
    TRY(we_read ? open_pipe(ret_ours, ret_theirs) : open_pipe(ret_theirs, ret_ours));
    return set_nonblocking(*ret_ours);
}

typedef struct Ends {
    int in_fd, out_fd, error_fd, confirm_fd, next_fd; /* those of the program */
} Ends;

static void ends_done(Ends *e) {
    safe_close(e->in_fd);
    safe_close(e->out_fd);
    safe_close(e->error_fd);
    safe_close(e->confirm_fd);
    safe_close(e->next_fd);
}

static int open_input(Pipeline *p, const Stage *s, Process *to, Ends *e) {
    switch (s->input) {
    case STAGE_NO_INPUT:
        return 0;
    case STAGE_FROM_PREVIOUS:
        e->in_fd = TAKE_FD(p->next_fd);
        return 0;
    case STAGE_FROM_FD:
        e->in_fd = fcntl(s->in_fd, F_DUPFD_CLOEXEC, 0);
        return e->in_fd < 0 ? -errno : 0;
    case STAGE_SINK:
        to->is_sink = true;
        TRY(make_pipe(false, &to->feed_fd, &e->in_fd));
        return s->is_confirmed ? make_pipe(false, &to->confirm_fd, &e->confirm_fd) : 0;
    }
    return -EINVAL;
}

static int open_output(const Stage *s, Process *to, Ends *e) {
    switch (s->output) {
    case STAGE_OUTPUT_KEPT:
        return make_pipe(true, &to->out_fd, &e->out_fd);
    case STAGE_TO_NEXT:
        return open_pipe(&e->next_fd, &e->out_fd);
    case STAGE_TO_FD:
        e->out_fd = fcntl(s->out_fd, F_DUPFD_CLOEXEC, 0);
        return e->out_fd < 0 ? -errno : 0;
    }
    return -EINVAL;
}

static int start(Pipeline *p, const Stage *s, Process *to, Ends *e) {
    ProcessSpec spec = {.argv = s->argv,
                        .directory = s->directory,
                        .n_fds = s->n_fds,
                        .prepare = s->prepare,
                        .userdata = s->userdata};

    TRY(open_input(p, s, to, e));
    TRY(open_output(s, to, e));
    TRY(make_pipe(true, &to->error_fd, &e->error_fd));
    spec.in_fd = e->in_fd;
    spec.out_fd = e->out_fd;
    spec.error_fd = e->error_fd;
    memcpy(spec.fds, s->fds, sizeof(spec.fds));
    if (e->confirm_fd >= 0)
        spec.fds[spec.n_fds++] = e->confirm_fd;
    return process_start(&spec, &to->pid, &to->pid_fd);
}

int pipeline_add(Pipeline *p, const Stage *s) {
    _cleanup_(ends_done) Ends e = {-1, -1, -1, -1, -1};
    Process *to = &p->stages[p->n];
    int r;

    if (p->n >= STAGES_MAX || s->n_fds + s->is_confirmed > PROCESS_FDS_MAX)
        return -ENOBUFS;
    *to = (Process){.pid_fd = -1,
                    .out_fd = -1,
                    .error_fd = -1,
                    .feed_fd = -1,
                    .confirm_fd = -1,
                    .status = PROCESS_CANNOT_RUN,
                    .status_max = s->status_max};
    to->name = strdup(s->name);
    if (!to->name)
        return -ENOMEM;
    p->n++;
    r = start(p, s, to, &e);
    if (r < 0) {
        (void)fail(p, "%s cannot be run: %s", s->name, strerror(-r));
        return r;
    }
    to->status = RUNNING;
    p->next_fd = s->output == STAGE_TO_NEXT ? TAKE_FD(e.next_fd) : p->next_fd;
    return (int)p->n - 1;
}

static const char *tidy_tail(Process *s) {
    while (s->tail_size > 0 && strchr("\n\r ", s->tail[s->tail_size - 1]))
        s->tail_size--;
    s->tail[s->tail_size] = 0;
    return s->tail;
}

static int tell_status(Pipeline *p, Process *s) {
    const char *tail = tidy_tail(s), *colon = *tail ? ": " : "";

    if (s->status == PROCESS_CANNOT_RUN && *tail)
        return fail(p, "%s failed: %s", s->name, tail);
    if (s->status > PROCESS_BY_SIGNAL)
        return fail(p, "%s was ended by signal %d (%s)%s%s", s->name, s->status - PROCESS_BY_SIGNAL,
                    strempty(sigabbrev_np(s->status - PROCESS_BY_SIGNAL)), colon, tail);
    return fail(p, "%s failed with status %d%s%s", s->name, s->status, colon, tail);
}

/* --- what passes ----------------------------------------------------------------------------- */

static bool has_sinks(const Pipeline *p) {
    for (size_t i = 0; i < p->n; i++)
        if (p->stages[i].is_sink)
            return true;
    return false;
}

/* Sinks that still take something. */
static bool is_fed(const Process *s) {
    return s->is_sink && s->feed_fd >= 0;
}

static bool is_piece_taken(const Pipeline *p) {
    for (size_t i = 0; i < p->n; i++)
        if (is_fed(&p->stages[i]) && p->stages[i].fed < p->piece_size)
            return false;
    return true;
}

static int take_piece(Pipeline *p) {
    const ssize_t n = read(p->next_fd, p->piece, PIECE);

    if (n < 0)
        return errno == EINTR || errno == EAGAIN ? 0 : fail(p, "Reading failed: %m");
    p->piece_size = (size_t)n;
    for (size_t i = 0; i < p->n; i++)
        p->stages[i].fed = 0;
    if (n == 0) {
        p->next_fd = safe_close(p->next_fd);
        p->is_source_empty = true;
        return 0;
    }
    sha256_update(&p->sha256, p->piece, (size_t)n);
    p->size += (uint64_t)n;
    if (p->on_piece)
        p->on_piece((size_t)n, p->piece_userdata);
    return 0;
}

static void feed(Pipeline *p, Process *s) {
    const ssize_t n = write(s->feed_fd, p->piece + s->fed, p->piece_size - s->fed);

    if (n > 0)
        s->fed += (size_t)n;
    else if (errno != EAGAIN && errno != EINTR)
        s->feed_fd = safe_close(s->feed_fd); /* its status says why */
}

static bool has_ended_well(const Process *s) {
    return s->status >= 0 && s->status <= s->status_max;
}

static bool have_producers_ended_well(const Pipeline *p) {
    for (size_t i = 0; i < p->n; i++)
        if (!p->stages[i].is_sink && !has_ended_well(&p->stages[i]))
            return false;
    return true;
}

/* Only now do the sinks see the end. */
static int complete(Pipeline *p) {
    if (p->is_complete || !p->is_source_empty || !is_piece_taken(p) ||
        !have_producers_ended_well(p))
        return 0;
    if (p->check && p->check(p->userdata) < 0)
        return fail(p, "What was read is not what it should be");
    p->is_complete = true;
    for (size_t i = 0; i < p->n; i++) {
        Process *s = &p->stages[i];

        if (is_fed(s) && s->confirm_fd >= 0)
            (void)!write(s->confirm_fd, "1", 1); /* without it the sink fails */
        s->confirm_fd = safe_close(s->confirm_fd);
        s->feed_fd = safe_close(s->feed_fd);
    }
    return 0;
}

/* --- the end --------------------------------------------------------------------------------- */

/* Who writes to a program that has failed ends by SIGPIPE: that program says why. */
static bool is_cause(const Process *s) {
    return s->status != RUNNING && !has_ended_well(s) && s->status != SIGPIPE_STATUS;
}

static int collect_end(Process *s) {
    s->status = process_reap(s->pid);
    s->pid_fd = safe_close(s->pid_fd);
    if (s->error_fd >= 0)
        TRY(drain(s, &s->error_fd, true));
    s->error_fd = safe_close(s->error_fd);
    if (s->out_fd >= 0)
        TRY(drain(s, &s->out_fd, false));
    s->out_fd = safe_close(s->out_fd);
    s->feed_fd = safe_close(s->feed_fd);
    return 0;
}

/* A program that fails closes its output a moment before it has ended, so its reader may have ended
 * first. The reader's failure follows from the one before it. */
static int find_cause(Pipeline *p, size_t i, size_t *ret) {
    for (*ret = i; i-- > 0 && !p->stages[i].is_sink; *ret = i) {
        Process *s = &p->stages[i];
        struct pollfd f = {s->pid_fd, POLLIN, 0};

        if (s->status == RUNNING && poll(&f, 1, CAUSE_MSEC) > 0)
            TRY(collect_end(s));
        if (!is_cause(s))
            return 0;
    }
    return 0;
}

static int on_end(Pipeline *p, size_t i) {
    Process *s = &p->stages[i];
    size_t cause;

    TRY(collect_end(s));
    if (s->is_sink || !is_cause(s))
        return 0;
    TRY(find_cause(p, i, &cause));
    return tell_status(p, &p->stages[cause]);
}

/* When all sinks have failed, nobody wants what is made. */
static int check_sinks(Pipeline *p) {
    if (!has_sinks(p))
        return 0;
    for (size_t i = 0; i < p->n; i++)
        if (p->stages[i].is_sink &&
            (p->stages[i].status == RUNNING || has_ended_well(&p->stages[i])))
            return 0;
    for (size_t i = 0; i < p->n; i++)
        if (p->stages[i].is_sink)
            return tell_status(p, &p->stages[i]);
    return 0;
}

static bool is_running(const Pipeline *p) {
    for (size_t i = 0; i < p->n; i++)
        if (p->stages[i].status == RUNNING)
            return true;
    return false;
}

static bool is_producer_running(const Pipeline *p) {
    for (size_t i = 0; i < p->n; i++)
        if (!p->stages[i].is_sink && p->stages[i].status == RUNNING)
            return true;
    return false;
}

static int check_statuses(Pipeline *p) {
    for (size_t i = p->n; i-- > 0;)
        if (!p->stages[i].is_sink && !has_ended_well(&p->stages[i]))
            return tell_status(p, &p->stages[i]);
    return p->error ? -EIO : 0;
}

/* --- the loop -------------------------------------------------------------------------------- */

enum { ENDED, SAID, PUT_OUT, TAKES, _PER_STAGE };

static void choose(Pipeline *p, struct pollfd *polled) {
    for (size_t i = 0; i < p->n; i++) {
        struct pollfd *f = polled + i * _PER_STAGE;
        Process *s = &p->stages[i];

        f[ENDED] = (struct pollfd){s->pid_fd, POLLIN, 0};
        f[SAID] = (struct pollfd){s->error_fd, POLLIN, 0};
        f[PUT_OUT] = (struct pollfd){s->out_fd, POLLIN, 0};
        f[TAKES] = (struct pollfd){s->fed < p->piece_size ? s->feed_fd : -1, POLLOUT, 0};
    }
    polled[p->n * _PER_STAGE] = (struct pollfd){
        has_sinks(p) && !p->is_source_empty && is_piece_taken(p) ? p->next_fd : -1, POLLIN, 0};
}

static int handle(Pipeline *p, const struct pollfd *polled) {
    for (size_t i = 0; i < p->n; i++) {
        const struct pollfd *f = polled + i * _PER_STAGE;
        Process *s = &p->stages[i];

        if (f[SAID].revents)
            TRY(drain(s, &s->error_fd, true));
        if (f[PUT_OUT].revents)
            TRY(drain(s, &s->out_fd, false));
        if (f[TAKES].revents)
            feed(p, s);
        if (f[ENDED].revents)
            TRY(on_end(p, i));
    }
    return polled[p->n * _PER_STAGE].revents ? take_piece(p) : 0;
}

static int step(Pipeline *p, int msec_max) {
    struct pollfd polled[STAGES_MAX * _PER_STAGE + 1];
    const uint64_t now = now_usec(CLOCK_BOOTTIME);
    int msec;

    if (now >= p->deadline_usec)
        return fail(p, "The time limit was reached while %s ran", p->stages[0].name);
    msec = (int)MIN((p->deadline_usec - now) / USEC_PER_MSEC + 1, (uint64_t)msec_max);
    choose(p, polled);
    if (poll(polled, (nfds_t)(p->n * _PER_STAGE + 1), msec) < 0)
        return errno == EINTR ? 0 : fail(p, "Waiting failed: %m");
    TRY(handle(p, polled));
    TRY(complete(p));
    TRY(check_sinks(p));
    return is_producer_running(p) ? 0 : check_statuses(p); /* sinks may still wait for the end */
}

/* What is in the pipe stays there. */
static ssize_t look(int fd, void *buf, size_t size) {
    _cleanup_close_ int in = -1, out = -1;
    ssize_t n = -1;

    if (open_pipe(&in, &out) >= 0)
        n = tee(fd, out, size, SPLICE_F_NONBLOCK);
    return n > 0 ? read(in, buf, (size_t)n) : n;
}

int pipeline_peek(Pipeline *p, void *buf, size_t size, size_t *ret_size) {
    const Process *last = &p->stages[p->n - 1];
    int r = 0;

    for (;;) {
        const bool has_ended = last->status != RUNNING; /* before looking */
        const ssize_t n = look(p->next_fd, buf, size);

        /* that there is nothing may be because of a failure, which is told first */
        if (n == (ssize_t)size || (n >= 0 && has_ended)) {
            *ret_size = (size_t)n;
            return 0;
        }
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            r = fail(p, "Looking at the data failed: %m");
        if (r >= 0)
            r = step(p, PEEK_MSEC);
        if (r < 0) {
            kill_all(p);
            return -EIO;
        }
    }
}

int pipeline_run(Pipeline *p) {
    int r = p->error ? -EIO : 0;

    while (r >= 0 && is_running(p))
        r = step(p, INT32_MAX);
    if (r < 0) {
        kill_all(p);
        if (!p->error)
            (void)fail(p, "%s", strerror(-r));
        return -EIO;
    }
    return check_statuses(p);
}

/* --- what it came to ------------------------------------------------------------------------- */

const char *pipeline_error(const Pipeline *p) {
    return p->error ?: "No memory";
}

int pipeline_find_failed(const Pipeline *p, int first, char **ret_text) {
    for (int i = first; i < (int)p->n; i++) {
        const Process *s = &p->stages[i];

        if (has_ended_well(s) || s->status > PROCESS_BY_SIGNAL || s->status < 0)
            continue;
        if (asprintf(ret_text, "%s failed with status %d: %s", s->name, s->status,
                     pipeline_messages(p, i)) < 0)
            return -ENOMEM;
        return i;
    }
    return -ENOENT;
}

int pipeline_status(const Pipeline *p, int stage) {
    return p->stages[stage].status;
}

const char *pipeline_output(const Pipeline *p, int stage, size_t *ret_size) {
    if (ret_size)
        *ret_size = p->stages[stage].out_size;
    return strempty(p->stages[stage].out);
}

const char *pipeline_messages(const Pipeline *p, int stage) {
    return tidy_tail((Process *)(uintptr_t)&p->stages[stage]);
}

uint64_t pipeline_size(const Pipeline *p) {
    return p->size;
}

void pipeline_sha256(const Pipeline *p, char ret[static SHA256_HEX_SIZE]) {
    Sha256 copy = p->sha256;

    sha256_final_hex(&copy, ret);
}
