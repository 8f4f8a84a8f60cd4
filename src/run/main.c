/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-run - main process of each job's unit. Not for people:
 *
 *     dcm-run [--timeout-usec=N] [--output-max=N] [--interpreter=PROGRAM] -- SCRIPT [ARGUMENT...]
 *
 * Standard output and error are the two files that keep the script's output (basic/job-output.h),
 * --output-max bytes of each at most.
 * The script gets pipes. As soon as its main process has ended, whoever else holds the pipes, the
 * exit record is written to the file that $DCM_EXIT_RECORD names (it exists; it may be a mount
 * point, so it is written in place) and dcm-run ends with the script's status, 128 plus the signal
 * that killed it, or 126/127 if it could not be started.
 *
 * Signals that ask to end are ignored here: systemd sends them to all processes of the unit, so the
 * script has its own. They are not forwarded; `kill` with the process id of dcm-run does nothing. A
 * SIGTERM that comes when the time of the unit is up (--timeout-usec, which systemd enforces) tells
 * why the script ended.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/exit-record.h"
#include "basic/fd-util.h"
#include "basic/time-util.h"
#include "run/cgroup.h"
#include "run/output.h"
#include "run/script.h"

#define EXIT_NO_RECORD 125 /* the script was not started */
#define EXIT_CANNOT_START 126
#define EXIT_NOT_FOUND 127
#define EXIT_SIGNAL_BASE 128
#define DEFAULT_RECORD "/run/dcm-job/exit"
#define TIMER_SLACK_USEC (100 * USEC_PER_MSEC) /* systemd began to count before we did */

static volatile sig_atomic_t was_asked_to_end;

static void on_term(int number) {
    was_asked_to_end = true;
}

static void ignore_signals(void) {
    static const int ignored[] = {SIGINT, SIGHUP, SIGQUIT, SIGXFSZ};
    const struct sigaction term = {.sa_handler = on_term, .sa_flags = SA_RESTART};

    for (size_t i = 0; i < ELEMENTSOF(ignored); i++)
        (void)signal(ignored[i], SIG_IGN);
    (void)sigaction(SIGTERM, &term, NULL);
}

typedef struct Options {
    uint64_t timeout_usec;
    uint64_t output_max;
    char *interpreter;
} Options;

/* The value of `--NAME=VALUE`, or NULL. */
static char *value_of(char *argument, const char *name) {
    size_t size = strlen(name);

    return strncmp(argument, name, size) == 0 ? argument + size : NULL;
}

static bool read_option(char *argument, Options *ret) {
    char *value;

    if ((value = value_of(argument, "--timeout-usec=")))
        ret->timeout_usec = strtoull(value, NULL, 10);
    else if ((value = value_of(argument, "--output-max=")))
        ret->output_max = strtoull(value, NULL, 10);
    else if ((value = value_of(argument, "--interpreter=")))
        ret->interpreter = value;
    return value && ret->output_max >= JOB_OUTPUT_MIN && ret->output_max <= JOB_OUTPUT_MAX;
}

/* Makes the script's argument vector of our own by overwriting what stands before it. */
static char **parse_arguments(int argc, char **argv, Options *ret) {
    int i = 1;

    while (i < argc && !streq(argv[i], "--"))
        if (!read_option(argv[i++], ret))
            return NULL;
    if (i + 1 >= argc)
        return NULL;
    if (!ret->interpreter)
        return argv + i + 1;
    argv[i] = ret->interpreter;
    return argv + i;
}

static int open_record(void) {
    const char *path = getenv("DCM_EXIT_RECORD") ?: DEFAULT_RECORD;
    int fd;

    fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
    if (fd < 0) {
        int r = -errno;

        (void)fprintf(stderr, "dcm-run: cannot open %s: %m\n", path);
        return r;
    }
    (void)unsetenv("DCM_EXIT_RECORD");
    return fd;
}

/* -EALREADY: an earlier dcm-run had the file, or the executor refuses the job. From the claim on
 * the script counts as run, after a power loss too. */
static int claim(int fd, uint64_t output_max) {
    char text[EXIT_RECORD_CLAIM_SIZE];
    struct stat st;
    int r;

    if (flock(fd, LOCK_EX) < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (st.st_size > 0)
        return -EALREADY;
    exit_record_claim(output_max, text);
    r = write_full(fd, text, strlen(text));
    if (r < 0)
        return r;
    return fsync(fd) < 0 || flock(fd, LOCK_UN) < 0 ? -errno : 0;
}

/* The executor has reserved the file's blocks, and truncating comes last to keep them: so that a
 * full disk does not lose the record. The end marker makes a partial one harmless. */
static int write_record(int fd, const ExitRecord *record) {
    _cleanup_free_ char *text = NULL;
    int r;

    r = exit_record_render(record, &text);
    if (r < 0)
        return r;
    if (lseek(fd, 0, SEEK_SET) < 0)
        return -errno;
    r = write_full(fd, text, strlen(text));
    if (r < 0)
        return r;
    if (ftruncate(fd, (off_t)strlen(text)) < 0 || fsync(fd) < 0)
        return -errno;
    return 0;
}

/* Returns when the script's main process has ended; the pipes may be open still. */
static void copy_until_end(const Script *script, Output *out, Output *err) {
    for (;;) {
        struct pollfd fds[] = {
            {.fd = script->pid_fd, .events = POLLIN},
            {.fd = out->pipe_fd, .events = POLLIN},
            {.fd = err->pipe_fd, .events = POLLIN},
        };

        if (poll(fds, ELEMENTSOF(fds), -1) < 0)
            continue;
        if (fds[1].revents)
            output_copy(out, SIZE_MAX);
        if (fds[2].revents)
            output_copy(err, SIZE_MAX);
        if (fds[0].revents)
            return;
    }
}

static int run_script(char **argv, ExitRecord *record, Output *out, Output *err) {
    Script script;
    int status, signal_number, r;

    r = script_start(argv, &script);
    if (r < 0)
        return r;
    out->pipe_fd = TAKE_FD(script.out_fd);
    err->pipe_fd = TAKE_FD(script.err_fd);
    if (was_asked_to_end) /* perhaps before there was a script that could be told */
        (void)kill(script.pid, SIGTERM);

    copy_until_end(&script, out, err);
    r = script_reap(&script, &status, &signal_number);
    script_done(&script);
    if (r < 0)
        return r;
    output_drain(out);
    output_drain(err);
    record->kind = signal_number ? EXIT_KIND_KILLED : EXIT_KIND_EXITED;
    record->status = signal_number ?: status;
    return 0;
}

/* Whether it ended by itself, as far as this process can see. */
static ExitReason find_reason(uint64_t elapsed_usec, uint64_t timeout_usec, int cgroup_fd) {
    if (cgroup_count_oom_kills(cgroup_fd) > 0)
        return EXIT_REASON_OOM;
    if (was_asked_to_end && timeout_usec > 0 && elapsed_usec + TIMER_SLACK_USEC >= timeout_usec)
        return EXIT_REASON_TIMEOUT;
    return EXIT_REASON_NONE;
}

static int exit_status(const ExitRecord *record) {
    switch (record->kind) {
    case EXIT_KIND_EXITED:
        return record->status;
    case EXIT_KIND_KILLED:
        return EXIT_SIGNAL_BASE + record->status;
    default:
        return record->status == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_START;
    }
}

int main(int argc, char **argv) {
    _cleanup_close_ int record_fd = -1, cgroup_fd = -1;
    ExitRecord record = {.started_usec = now_usec(CLOCK_REALTIME)};
    uint64_t begun_usec = now_usec(CLOCK_MONOTONIC);
    Options options = {.output_max = JOB_OUTPUT_DEFAULT};
    Output out, err;
    char **script;
    int r;

    ignore_signals();
    script = parse_arguments(argc, argv, &options);
    if (!script) {
        (void)fputs("usage: dcm-run [--timeout-usec=N] [--output-max=N] [--interpreter=PROGRAM] "
                    "-- SCRIPT [ARGUMENT...]\n",
                    stderr);
        return EXIT_NO_RECORD;
    }
    record_fd = open_record();
    if (record_fd < 0)
        return EXIT_NO_RECORD;
    cgroup_fd = cgroup_open();
    output_init(&out, STDOUT_FILENO, options.output_max);
    output_init(&err, STDERR_FILENO, options.output_max);
    record.output_max = options.output_max;

    r = claim(record_fd, options.output_max);
    if (r == -EALREADY) {
        (void)fputs("dcm-run: this job has been started before, or is refused\n", stderr);
        return EXIT_NO_RECORD;
    }
    if (r >= 0)
        r = run_script(script, &record, &out, &err);
    if (r < 0) {
        record.kind = EXIT_KIND_START_FAILED;
        record.status = -r;
    } else {
        record.reason =
            find_reason(now_usec(CLOCK_MONOTONIC) - begun_usec, options.timeout_usec, cgroup_fd);
        record.left_behind = cgroup_count_others(cgroup_fd);
    }
    output_summarize(&out, &record.out);
    output_summarize(&err, &record.err);
    record.ended_usec = now_usec(CLOCK_REALTIME);
    (void)write_record(record_fd, &record); /* without one, the unit's result is the answer */
    output_done(&out);
    output_done(&err);
    return exit_status(&record);
}
