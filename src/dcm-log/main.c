/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-log - a job's lines and progress for the manager's console. */
#include <getopt.h>
#include <stdio.h>

#include "basic/bounds.h"
#include "basic/option-table.h"
#include "basic/terminal.h"
#include "basic/utf8.h"
#include "dcm-log/client.h"
#include "proto/text.h"

#define NO_PROGRESS UINT32_MAX
#define SILENT_USEC (120 * USEC_PER_SEC)
#define ABSENT_USEC (3 * USEC_PER_SEC)

typedef struct Options {
    const char *level;
    SayOptions say;
    unsigned percent; /* or NO_PROGRESS */
} Options;

static int parse_percent(const char *s, void *ret_percent) {
    char *end;
    unsigned long n;

    errno = 0;
    n = strtoul(s, &end, 10);
    if (errno != 0 || end == s || *end || *s == '-' || n > 100) {
        terminal_printf(stderr, "dcm-log: %s is not a percentage\n", s);
        return -EINVAL;
    }
    *(unsigned *)ret_percent = (unsigned)n;
    return 0;
}

static int parse_level(const char *s, void *ret_level) {
    static const char *const levels[] = {"debug", "info", "warning", "error"};

    for (size_t i = 0; i < ELEMENTSOF(levels); i++)
        if (strcasecmp(levels[i], s) == 0)
            return option_take_text(s, ret_level);
    terminal_printf(stderr, "dcm-log: unknown level %s\n", s);
    return -EINVAL;
}

static const Option options[] = {
    {"level", "LEVEL", offsetof(Options, level), parse_level, "debug, info, warning or error",
     "info"},
    {"progress", "PERCENT", offsetof(Options, percent), parse_percent,
     "report progress in percent, with TEXT, instead"},
    {"socket", "PATH", offsetof(Options, say.socket), option_take_text, "socket of the agent",
     SAY_SOCKET},
    OPTION_VERSION,
    OPTION_HELP,
};

static const OptionTable option_table = {
    .program = "dcm-log",
    .operands = "[TEXT...]",
    .about = "For scripts of dcm-agent: sends a line to the manager's console; without TEXT, each\n"
             "line of standard input.",
    .options = options,
    .n_options = ELEMENTSOF(options),
};

static char *join(char **words) {
    size_t size = 1;
    char *text, *p;

    for (char **w = words; *w; w++)
        size += strlen(*w) + 1;
    p = text = malloc(size);
    if (!text)
        return NULL;
    for (char **w = words; *w; w++) {
        if (p != text)
            *p++ = ' ';
        p = stpcpy(p, *w);
    }
    *p = 0;
    return text;
}

/* Sends as much of a line as the console accepts. */
static int send_text(const Options *o, const char *text) {
    _cleanup_free_ char *line = NULL;

    TRY(utf8_replace_invalid(text, (size_t)utf8_short(text, JOB_LINE_MAX), &line));
    if (o->percent != NO_PROGRESS)
        return say_progress(&o->say, o->percent, line);
    return say_log(&o->say, o->level, line);
}

/* Skips the rest of a longer line, except for the byte that shows whether a character was cut.
 * False: no line. */
static bool read_line(char line[static JOB_LINE_MAX + 2]) {
    size_t size = 0;
    int c;

    while ((c = getc_unlocked(stdin)) != EOF && c != '\n')
        if (size <= JOB_LINE_MAX)
            line[size++] = (char)c;
    line[size] = 0;
    return c != EOF || size > 0;
}

static int send_input(const Options *o) {
    char line[JOB_LINE_MAX + 2];
    int r = 0;

    while (r >= 0 && read_line(line))
        if (*line)
            r = send_text(o, line);
    return r < 0 ? r : ferror(stdin) ? -EIO : 0;
}

static int tell(int error) {
    if (error == -EREMOTEIO)
        (void)fputs("dcm-log: refused: the caller is not a job of dcm-agent\n", stderr);
    else if (error == -ENOENT || error == -ECONNREFUSED || error == -ECONNRESET)
        (void)fputs("dcm-log: dcm-agent is not running\n", stderr);
    else if (error < 0)
        (void)fprintf(stderr, "dcm-log: dcm-agent cannot be reached: %s\n", strerror(-error));
    return error < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv) {
    Options o = {
        .level = "info",
        .say = {.silent_usec = SILENT_USEC, .absent_usec = ABSENT_USEC},
        .percent = NO_PROGRESS,
    };
    _cleanup_free_ char *text = NULL;
    int r;

    r = option_table_parse(&option_table, argc, argv, &o);
    if (r <= 0)
        return options_exit_status(r);
    if (optind == argc && o.percent == NO_PROGRESS)
        return tell(send_input(&o));
    text = join(argv + optind);
    return tell(text ? send_text(&o, text) : -ENOMEM);
}
