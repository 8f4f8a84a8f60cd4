/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-fetch - downloads one script. Not for interactive use: the main process of a unit without
 * privileges. Standard input is the order (basic/fetch-order.h), a file; standard output receives
 * the content; standard error, a pipe, receives one line at the end: "ok", or the problem. Without
 * that line the content does not count. If the pipe has no reader any more, the download is
 * cancelled. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/fetch-order.h"
#include "basic/terminal.h"
#include "basic/utf8.h"
#include "dcm-fetch/file-source.h"
#include "dcm-fetch/http-source.h"

#define STATUS_OK "ok"

/* Reads from the beginning, whatever position the writer left. */
static int read_order(FetchOrder *ret) {
    char text[FETCH_ORDER_MAX + 2]; /* one byte more than allowed, and a NUL */
    size_t size = 0;
    ssize_t n;
    int r;

    while ((n = pread(STDIN_FILENO, text + size, sizeof(text) - 1 - size, (off_t)size)) > 0)
        size += (size_t)n;
    text[size] = 0;
    r = n < 0 ? -errno : fetch_order_parse(text, size, ret);
    explicit_bzero(text, sizeof(text));
    return r;
}

static int fetch(Problem *ret_problem) {
    _cleanup_(fetch_order_done) FetchOrder order = {};
    Sink sink = {.fd = STDOUT_FILENO};
    int r;

    r = read_order(&order);
    if (r < 0)
        return problem_set(ret_problem, "The order cannot be read: %s", strerror(-r));
    return fetch_url_is_remote(order.url)
               ? http_source_fetch(&order, STDERR_FILENO, &sink, ret_problem)
               : file_source_fetch(order.url, &sink, ret_problem);
}

int main(int argc, char **argv) {
    Problem problem = {STATUS_OK};
    char line[ERROR_MESSAGE_MAX + 2];
    int r;

    if (argc != 1) {
        (void)fputs("dcm-fetch " PROJECT_VERSION " takes no arguments, see dcm-fetch(8)\n", stderr);
        return EXIT_FAILURE;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    r = fetch(&problem);
    (void)utf8_format(line, sizeof(line), "%s\n", problem.text);
    terminal_pass(stderr, line, strlen(line));
    if (ferror(stderr))
        return EXIT_FAILURE;
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
