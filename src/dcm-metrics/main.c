/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-metrics: reads one HTTP request on standard input and writes the response to standard output;
 * both are a connection of dcm-metrics.socket. With --print it only prints the text. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/log.h"
#include "basic/option-table.h"
#include "basic/terminal.h"
#include "basic/time-util.h"
#include "dcm-metrics/agent.h"
#include "dcm-metrics/machine.h"
#include "dcm-metrics/question.h"
#include "proto/http-head.h"

#define CONTENT_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define ANSWER_HEAD_SIZE 512
#define DRAIN_USEC USEC_PER_SEC

typedef struct Options {
    const char *root;
    bool print;
} Options;

static const Option options[] = {
    {"print", NULL, offsetof(Options, print), option_set_flag, "print the text, without a request"},
    {"root", "DIR", offsetof(Options, root), option_take_text,
     "read proc and sys below this directory"},
    OPTION_VERSION,
    OPTION_HELP,
};

static const OptionTable option_table = {
    .program = "dcm-metrics",
    .about = "Serves metrics of the machine and of the agent, as OpenMetrics text over HTTP, "
             "on\nits socket.",
    .options = options,
    .n_options = ELEMENTSOF(options),
};

/* Size of the head; -ENODATA: the peer has disconnected, or is too slow; -E2BIG. */
static ssize_t read_head(char *buf, size_t size_max) {
    uint64_t deadline = now_usec(CLOCK_BOOTTIME) + METRICS_REQUEST_USEC, now;
    size_t size = 0;
    ssize_t r, n;

    for (;;) {
        struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};

        r = http_head_size(buf, size);
        if (r != -EAGAIN)
            return r;
        now = now_usec(CLOCK_BOOTTIME);
        if (size == size_max)
            return -E2BIG;
        if (now >= deadline || poll(&p, 1, (int)((deadline - now) / USEC_PER_MSEC) + 1) <= 0)
            return -ENODATA;
        n = read(STDIN_FILENO, buf + size, size_max - size);
        if (n <= 0)
            return -ENODATA;
        size += (size_t)n;
    }
}

static const char *reason(int status) {
    switch (status) {
    case 200:
        return "OK";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 500:
        return "Internal Server Error";
    default:
        return "Bad Request";
    }
}

static int answer(int status, bool head_only, const char *type, const char *text, size_t size) {
    char head[ANSWER_HEAD_SIZE];
    int n, r;

    n = snprintf(head, sizeof(head),
                 "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%sConnection: "
                 "close\r\n\r\n",
                 status, reason(status), type, size, status == 405 ? "Allow: GET, HEAD\r\n" : "");
    r = write_full(STDOUT_FILENO, head, (size_t)n);
    return r < 0 || head_only ? r : write_full(STDOUT_FILENO, text, size);
}

/* Reads on for a moment: closing with unread bytes would reset the connection, and the peer might
 * lose the response. */
static void drain(void) {
    uint64_t deadline = now_usec(CLOCK_BOOTTIME) + DRAIN_USEC, now;
    struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
    char rest[METRICS_REQUEST_MAX];

    (void)shutdown(STDOUT_FILENO, SHUT_WR);
    while ((now = now_usec(CLOCK_BOOTTIME)) < deadline)
        if (poll(&p, 1, (int)((deadline - now) / USEC_PER_MSEC) + 1) <= 0 ||
            read(STDIN_FILENO, rest, sizeof(rest)) <= 0)
            return;
}

static int answer_error(int status, bool head_only) {
    char text[64];
    int n, r;

    n = snprintf(text, sizeof(text), "%s\nThe metrics are at /metrics\n", reason(status));
    r = answer(status, head_only, "text/plain; charset=utf-8", text, (size_t)n);
    drain();
    return r;
}

static int make_text(const Options *o, Exposition *x) {
    TRY(exposition_init(x));
    TRY(machine_expose(x, o->root));
    agent_expose(x);
    return exposition_end(x);
}

static int serve(const Options *o) {
    _cleanup_(exposition_done) Exposition x = {};
    char head[METRICS_REQUEST_MAX];
    bool head_only = false;
    ssize_t size;
    int status, r;

    size = read_head(head, sizeof(head));
    if (size == -ENODATA)
        return 0;
    status = size < 0 ? 400 : question_judge(head, (size_t)size, &head_only);
    if (status != 200)
        return answer_error(status, head_only);
    r = make_text(o, &x);
    if (r < 0) {
        (void)log_error_errno(r, "The metrics cannot be collected: %m");
        return answer_error(500, head_only);
    }
    return answer(200, head_only, CONTENT_TYPE, x.text, x.size);
}

static int print(const Options *o) {
    _cleanup_(exposition_done) Exposition x = {};

    TRY(make_text(o, &x));
    terminal_pass(stdout, x.text, x.size);
    return fflush(stdout) == 0 ? 0 : -errno;
}

int main(int argc, char *argv[]) {
    Options o = {.root = "/"};
    int r;

    log_set_identifier("dcm-metrics");
    r = option_table_parse(&option_table, argc, argv, &o);
    if (r <= 0)
        return options_exit_status(r);
    (void)signal(SIGPIPE, SIG_IGN);
    r = o.print ? print(&o) : serve(&o);
    /* a disconnected peer is not an error of this program */
    if (r < 0 && r != -EPIPE && r != -ECONNRESET)
        (void)log_error_errno(r, "The metrics cannot be sent: %m");
    return r < 0 && r != -EPIPE && r != -ECONNRESET ? EXIT_FAILURE : EXIT_SUCCESS;
}
