/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/screen.h"

#include <fcntl.h>
#include <langinfo.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/standard-streams.h"
#include "basic/terminal.h"

#define WIDTH_DEFAULT 80 /* of a terminal that does not say it */
#define WIDTH_MIN 20
#define LESS_OPTIONS "FRSXMK" /* as systemd's programs */

static pid_t pager; /* 0: none */

static bool on_terminal(void) {
    return pager != 0 || isatty(STDOUT_FILENO);
}

static int ask_width(void) {
    const char *columns = getenv("COLUMNS");
    int n = columns ? atoi(columns) : 0;
    struct winsize w;

    if (n <= 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) >= 0)
        n = w.ws_col;
    return n > 0 ? MAX(n, WIDTH_MIN) : WIDTH_DEFAULT;
}

int screen_get_width(void) {
    static int width;

    if (width == 0)
        width = on_terminal() ? ask_width() : INT_MAX;
    return width;
}

/* A terminal on which a pager can do more than print. */
static bool can_move(void) {
    const char *term = getenv("TERM");

    return !isempty(term) && !streq(term, "dumb");
}

static bool ask_colours(void) {
    const char *wish = getenv("SYSTEMD_COLORS");

    if (!isempty(wish))
        return !streq(wish, "0") && !streq(wish, "no") && !streq(wish, "false");
    return isempty(getenv("NO_COLOR")) && on_terminal() && can_move();
}

bool screen_has_colours(void) {
    static int known = -1;

    if (known < 0)
        known = ask_colours();
    return known;
}

const char *screen_get_colour(Colour colour) {
    static const char *const escapes[_COLOUR_MAX] = {
        [COLOUR_NONE] = "",           [COLOUR_RED] = "\033[31m",  [COLOUR_GREEN] = "\033[32m",
        [COLOUR_YELLOW] = "\033[33m", [COLOUR_GREY] = "\033[90m", [COLOUR_BOLD] = "\033[1m",
        [COLOUR_REVERSE] = "\033[7m", [COLOUR_END] = "\033[0m",
    };

    return screen_has_colours() ? escapes[colour] : "";
}

/* A pager of root's must not give away a shell. */
static void set_environment(void) {
    (void)setenv("LESSSECURE", "1", 1);
    (void)setenv("LESS", getenv("SYSTEMD_LESS") ?: LESS_OPTIONS, 1);
    if (streq(nl_langinfo(CODESET), "UTF-8"))
        (void)setenv("LESSCHARSET", "utf-8", 1);
}

static int spawn(const char *command, int input_fd, pid_t *ret) {
    char shell[] = "/bin/sh", option[] = "-c";
    _cleanup_free_ char *text = strdup(command);
    char *arguments[] = {shell, option, text, NULL};
    posix_spawn_file_actions_t actions;
    int r;

    if (!text)
        return -ENOMEM;
    TRY(-posix_spawn_file_actions_init(&actions));
    r = -posix_spawn_file_actions_adddup2(&actions, input_fd, STDIN_FILENO);
    if (r >= 0)
        r = -posix_spawn(ret, shell, &actions, NULL, arguments, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    return r;
}

static const char *choose_pager(void) {
    const char *named = getenv("SYSTEMD_PAGER") ?: getenv("PAGER");

    if (named)
        return isempty(named) || streq(named, "cat") ? NULL : named;
    if (access("/usr/bin/less", X_OK) >= 0 || access("/bin/less", X_OK) >= 0)
        return "exec less";
    return access("/bin/more", X_OK) >= 0 ? "exec more" : NULL;
}

void screen_page(void) {
    const char *command = choose_pager();
    _cleanup_close_ int read_fd = -1, write_fd = -1;
    int fds[2];

    if (pager != 0 || !command || !isatty(STDOUT_FILENO) || !can_move())
        return;
    (void)screen_get_width(); /* while the terminal can be asked */
    (void)screen_has_colours();
    if (pipe2(fds, O_CLOEXEC) < 0)
        return;
    read_fd = fds[0];
    write_fd = fds[1];
    set_environment();
    if (fflush(stdout) != 0 || spawn(command, read_fd, &pager) < 0) {
        pager = 0;
        return;
    }
    (void)dup2(write_fd, STDOUT_FILENO);
    (void)signal(SIGPIPE, SIG_IGN); /* the reader may leave the pager early */
    terminal_set_shown(stdout);
}

int screen_end(void) {
    if (pager == 0)
        return standard_output_flush();
    (void)fclose(stdout);
    while (waitpid(pager, NULL, 0) < 0 && errno == EINTR)
        ;
    pager = 0;
    return 0;
}
