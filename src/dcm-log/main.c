/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-log - a job's lines and progress for the manager's console. */
#include <getopt.h>
#include <stdio.h>

#include "basic/bounds.h"
#include "basic/terminal.h"
#include "basic/utf8.h"
#include "dcm-log/client.h"
#include "proto/text.h"

#define EXIT_USAGE 2
#define NO_PROGRESS UINT32_MAX
#define SILENT_USEC (120 * USEC_PER_SEC)
#define ABSENT_USEC (3 * USEC_PER_SEC)

typedef struct Options {
    const char *level;
    SayOptions say;
    unsigned percent; /* or NO_PROGRESS */
} Options;

static void help(void) {
    (void)fputs(
        "dcm-log [OPTION...] [TEXT...]\n\n"
        "For scripts of dcm-agent: sends a line to the manager's console; without TEXT, each\n"
        "line of standard input.\n\n"
        "  --level=LEVEL       debug, info, warning or error (info)\n"
        "  --progress=PERCENT  say how far the job is, and TEXT, instead\n"
        "  --socket=PATH       socket of the agent (" SAY_SOCKET ")\n"
        "  --help              this\n"
        "  --version           say the version\n",
        stdout);
}

static int parse_percent(const char *s, unsigned *ret) {
    char *end;
    unsigned long n;

    errno = 0;
    n = strtoul(s, &end, 10);
    if (errno != 0 || end == s || *end || *s == '-' || n > 100)
        return -EINVAL;
    *ret = (unsigned)n;
    return 0;
}

static bool is_level(const char *s) {
    static const char *const levels[] = {"debug", "info", "warning", "error"};

    for (size_t i = 0; i < ELEMENTSOF(levels); i++)
        if (strcasecmp(levels[i], s) == 0)
            return true;
    return false;
}

/* 1: go on; 0: done; -EINVAL: told */
static int parse_options(int argc, char **argv, Options *ret) {
    static const struct option options[] = {
        {"level", required_argument, NULL, 'l'},  {"progress", required_argument, NULL, 'p'},
        {"socket", required_argument, NULL, 's'}, {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},      {},
    };
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
        switch (c) {
        case 'l':
            if (!is_level(optarg)) {
                terminal_printf(stderr, "dcm-log: there is no level %s\n", optarg);
                return -EINVAL;
            }
            ret->level = optarg;
            break;
        case 'p':
            if (parse_percent(optarg, &ret->percent) < 0) {
                terminal_printf(stderr, "dcm-log: %s is no percentage\n", optarg);
                return -EINVAL;
            }
            break;
        case 's':
            ret->say.socket = optarg;
            break;
        case 'h':
            help();
            return 0;
        case 'V':
            (void)puts("dcm-log " PROJECT_VERSION);
            return 0;
        default:
            return -EINVAL;
        }
    return 1;
}

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

/* As much as the console takes of a line. */
static int send_text(const Options *o, const char *text) {
    _cleanup_free_ char *line = NULL;
    int r;

    r = utf8_replace_invalid(text, (size_t)utf8_short(text, JOB_LINE_MAX), &line);
    if (r < 0)
        return r;
    if (o->percent != NO_PROGRESS)
        return say_progress(&o->say, o->percent, line);
    return say_log(&o->say, o->level, line);
}

/* Of a longer line the rest is left out, but for the byte that tells whether a character was cut.
 * false: there is none. */
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
        (void)fputs("dcm-log: refused: this is no job of dcm-agent\n", stderr);
    else if (error == -ENOENT || error == -ECONNREFUSED || error == -ECONNRESET)
        (void)fputs("dcm-log: dcm-agent does not run\n", stderr);
    else if (error < 0)
        (void)fprintf(stderr, "dcm-log: dcm-agent cannot be reached: %s\n", strerror(-error));
    return error < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv) {
    Options options = {
        .level = "info",
        .say = {.silent_usec = SILENT_USEC, .absent_usec = ABSENT_USEC},
        .percent = NO_PROGRESS,
    };
    _cleanup_free_ char *text = NULL;
    int r;

    r = parse_options(argc, argv, &options);
    if (r <= 0) {
        if (r < 0)
            (void)fputs("Try dcm-log --help\n", stderr);
        return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;
    }
    if (optind == argc && options.percent == NO_PROGRESS)
        return tell(send_input(&options));
    text = join(argv + optind);
    return tell(text ? send_text(&options, text) : -ENOMEM);
}
