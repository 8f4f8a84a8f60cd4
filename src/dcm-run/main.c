/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-run - main process of each job's unit. Not for interactive use:
 *
 *     dcm-run [--timeout-usec=N] [--output-max=N] [--interpreter=PROGRAM] [--require-capability]
 *             [--pass-signal] [--note-boot] [--pre=SCRIPT] [--post=SCRIPT] -- SCRIPT [ARGUMENT...]
 *
 * Standard output and error are the two files for the script's output (basic/job-output.h), with at
 * most --output-max bytes of each stream; standard input is a socket with the other files
 * (basic/job-files.h). The script gets pipes, and writes to DCM_LOG_FILE through a third. As soon
 * as its main process has ended, whatever other processes hold the pipes, dcm-run writes the exit
 * record (in place) and exits with the script's status, 128 plus the signal that killed it, or
 * 126/127 if it could not be started.
 *
 * The script of --pre runs first, with the same arguments and standard input; if it fails, the job
 * ends. That of --post runs last, with the status in DCM_STATUS, unless the job was asked to end;
 * if it fails and the script did not, the job has failed. All three are one job: one output, one
 * record.
 *
 * Other processes of the job's user may be hostile. dcm-run is installed so that they cannot read
 * the program: from execve() on the kernel then lets none of them trace it, take its descriptors or
 * look into its mount namespace. The script of a job with secrets is protected by a capability that
 * other processes do not have (--require-capability: it must be present).
 *
 * dcm-run ignores signals that ask it to end: systemd sends them to all processes of the unit, so
 * the script receives its own. They are not forwarded; `kill` with the process id of dcm-run has no
 * effect. With --pass-signal dcm-run alone receives SIGTERM, and passes it on. A SIGTERM at the end
 * With --note-boot the record says in which boot the script ran. A SIGTERM at the end
 * of the unit's time limit (--timeout-usec, which systemd enforces) explains the script's end. */
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/exit-record.h"
#include "basic/fd-util.h"
#include "basic/time-util.h"
#include "dcm-run/cgroup.h"
#include "dcm-run/failure.h"
#include "dcm-run/files.h"
#include "dcm-run/output.h"
#include "dcm-run/script.h"

#define N_FDS 4 /* three pipes and the script's process */
#define PAUSE_MSEC 10
#define EXIT_NOT_STARTED 126
#define EXIT_NOT_FOUND 127
#define TIMER_SLACK_USEC (100 * USEC_PER_MSEC) /* systemd's timer started before this one */

static volatile sig_atomic_t was_asked_to_end;

static bool passes_signal, notes_boot;
static volatile sig_atomic_t passed_to; /* process of the script; 0: none, or not passed on */

static void on_term(int number) {
    const int error = errno;

    was_asked_to_end = true;
    if (passed_to > 0)
        (void)kill((pid_t)passed_to, SIGTERM);
    errno = error;
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
    char *pre, *post; /* may be NULL */
    bool require_capability;
} Options;

/* Returns the value of `--NAME=VALUE`, or NULL. */
static char *value_of(char *argument, const char *name) {
    size_t size = strlen(name);

    return strncmp(argument, name, size) == 0 ? argument + size : NULL;
}

static bool read_option(char *argument, Options *ret) {
    char *value;

    if (streq(argument, "--require-capability"))
        return ret->require_capability = true;
    if (streq(argument, "--pass-signal"))
        return passes_signal = true;
    if (streq(argument, "--note-boot"))
        return notes_boot = true;
    if ((value = value_of(argument, "--timeout-usec=")))
        ret->timeout_usec = strtoull(value, NULL, 10);
    else if ((value = value_of(argument, "--output-max=")))
        ret->output_max = strtoull(value, NULL, 10);
    else if ((value = value_of(argument, "--interpreter=")))
        ret->interpreter = value;
    else if ((value = value_of(argument, "--pre=")))
        ret->pre = value;
    else if ((value = value_of(argument, "--post=")))
        ret->post = value;
    return value && ret->output_max >= JOB_OUTPUT_MIN && ret->output_max <= JOB_OUTPUT_MAX;
}

/* Reuses this process's argument vector for the script by overwriting the entries before its
 * arguments. */
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

/* -EALREADY: an earlier dcm-run has claimed the record, or the executor refuses the job. From the
 * claim on the script counts as run, even after a power loss. */
static int claim(int fd, const ExitRecord *record) {
    char text[EXIT_RECORD_CLAIM_SIZE];
    struct stat st;

    if (flock(fd, LOCK_EX) < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (st.st_size > 0)
        return -EALREADY;
    exit_record_claim(record, text);
    TRY(write_full(fd, text, strlen(text)));
    return fsync(fd) < 0 || flock(fd, LOCK_UN) < 0 ? -errno : 0;
}

/* The executor has reserved the file's blocks, and the truncation comes last to keep them, so that
 * a full disk does not lose the record. The end marker makes a partial record harmless. */
static int write_record(int fd, const ExitRecord *record) {
    _cleanup_free_ char *text = NULL;

    TRY(exit_record_render(record, &text));
    if (lseek(fd, 0, SEEK_SET) < 0)
        return -errno;
    TRY(write_full(fd, text, strlen(text)));
    if (ftruncate(fd, (off_t)strlen(text)) < 0 || fsync(fd) < 0)
        return -errno;
    return 0;
}

typedef struct Outputs {
    Output out, err, log;
} Outputs;

static void outputs_init(Outputs *o, JobFiles *files, uint64_t max) {
    output_init(&o->out, STDOUT_FILENO, max);
    output_init(&o->err, STDERR_FILENO, max);
    output_init(&o->log, files->log_fd, max);
    o->log.pipe_fd = TAKE_FD(files->pipe_fd);
}

static void outputs_done(Outputs *o) {
    output_done(&o->out);
    output_done(&o->err);
    output_done(&o->log);
}

/* poll() fails if its number of descriptors exceeds the limit of the process, which any other
 * process of the user can lower by prlimit(2). The pipes do not block. */
static void look_without_poll(const Script *script, struct pollfd fds[static N_FDS]) {
    (void)poll(NULL, 0, PAUSE_MSEC);
    for (size_t i = 0; i < N_FDS; i++)
        fds[i].revents = fds[i].fd < 0 || fds[i].fd == script->pid_fd ? 0 : POLLIN;
    if (script_has_ended(script))
        fds[N_FDS - 1].revents = POLLIN;
}

/* Returns when the script's main process has ended; the pipes may still be open. */
static void copy_until_end(const Script *script, Outputs *o) {
    for (;;) {
        struct pollfd fds[N_FDS] = {
            {.fd = o->out.pipe_fd, .events = POLLIN},
            {.fd = o->err.pipe_fd, .events = POLLIN},
            {.fd = o->log.pipe_fd, .events = POLLIN},
            {.fd = script->pid_fd, .events = POLLIN},
        };

        if (poll(fds, ELEMENTSOF(fds), -1) < 0) {
            if (errno == EINTR)
                continue;
            look_without_poll(script, fds);
        }
        if (fds[0].revents)
            output_copy(&o->out, SIZE_MAX);
        if (fds[1].revents)
            output_copy(&o->err, SIZE_MAX);
        if (fds[2].revents)
            output_copy(&o->log, SIZE_MAX);
        if (fds[3].revents)
            return;
    }
}

static int run_script(char **argv, ExitRecord *record, Outputs *o) {
    char text[FAILURE_TEXT_MAX];
    Script script;
    int status, signal_number, r;

    (void)lseek(STDIN_FILENO, 0, SEEK_SET); /* another script may have read it */
    r = script_start(argv, &script);
    if (r < 0) {
        output_add(&o->err, text, failure_explain(argv, -r, text));
        return r;
    }
    o->out.pipe_fd = TAKE_FD(script.out_fd);
    o->err.pipe_fd = TAKE_FD(script.err_fd);
    if (passes_signal)
        passed_to = script.pid;
    if (was_asked_to_end) /* possibly before a script could receive the signal */
        (void)kill(script.pid, SIGTERM);

    copy_until_end(&script, o);
    passed_to = 0; /* from now on the number may be that of another process */
    r = script_reap(&script, &status, &signal_number);
    script_done(&script);
    if (r < 0)
        return r;
    output_drain(&o->out);
    output_drain(&o->err);
    output_drain(&o->log);
    /* processes that the script left behind may still hold them */
    o->out.pipe_fd = safe_close(o->out.pipe_fd);
    o->err.pipe_fd = safe_close(o->err.pipe_fd);
    record->kind = signal_number ? EXIT_KIND_KILLED : EXIT_KIND_EXITED;
    record->status = signal_number ?: status;
    return 0;
}

static bool has_failed(const ExitRecord *record) {
    return record->kind != EXIT_KIND_EXITED || record->status != 0;
}

static int run_hook(char *path, char **argv, ExitRecord *record, Outputs *o) {
    char *script = argv[0];
    int r;

    argv[0] = path;
    r = run_script(argv, record, o);
    argv[0] = script;
    return r;
}

/* Not EXIT_KIND_START_FAILED: another script of the job has run. */
static void note_not_started(int error, ExitRecord *ret) {
    ret->kind = EXIT_KIND_EXITED;
    ret->status = error == -ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_STARTED;
}

/* Nothing else in the result says that the status is not that of the command. */
static void tell_hook(const ExitRecord *record, const char *suffix, const char *consequence,
                      Outputs *o) {
    char text[256];

    (void)snprintf(text, sizeof(text),
                   "dcm-run: the script %s of this machine, in " CONFDIR
                   "/scripts, failed (%s %d), "
                   "%s.\n",
                   suffix, record->kind == EXIT_KIND_KILLED ? "signal" : "status", record->status,
                   consequence);
    output_add(&o->err, text, strlen(text));
}

static void run_post(const Options *options, char **argv, ExitRecord *record, Outputs *o) {
    ExitRecord post = *record;
    char status[16];
    int r;

    (void)snprintf(status, sizeof(status), "%d", exit_record_get_exit_status(record));
    r = setenv("DCM_STATUS", status, true) < 0 ? -ENOMEM : run_hook(options->post, argv, &post, o);
    if (r < 0)
        note_not_started(r, &post);
    if (!has_failed(&post) || has_failed(record))
        return;
    *record = post;
    tell_hook(&post, ".post", "though the command itself did not", o);
}

/* A signal that asks the job to end need not have been for its script, which may have succeeded. */
static void skip_post(Outputs *o) {
    static const char text[] =
        "dcm-run: the job was asked to end, so the script .post was not run.\n";

    output_add(&o->err, text, strlen(text));
}

static int run_all(const Options *options, char **argv, ExitRecord *record, Outputs *o) {
    int r;

    if (options->pre) {
        r = run_hook(options->pre, argv, record, o);
        if (r >= 0 && has_failed(record))
            tell_hook(record, ".pre", "so the command itself did not run", o);
        if (r < 0 || has_failed(record))
            return r;
        if (was_asked_to_end) { /* it has not failed, but the script must not begin */
            record->kind = EXIT_KIND_KILLED;
            record->status = SIGTERM;
            return 0;
        }
    }
    r = run_script(argv, record, o);
    if (r < 0 && !options->pre)
        return r;
    if (r < 0)
        note_not_started(r, record);
    if (options->post && was_asked_to_end)
        skip_post(o);
    else if (options->post)
        run_post(options, argv, record, o);
    return 0;
}

/* The reason of the end, as far as this process can tell. */
static ExitReason find_reason(uint64_t elapsed_usec, uint64_t timeout_usec, int cgroup_fd) {
    if (cgroup_count_oom_kills(cgroup_fd) > 0)
        return EXIT_REASON_OOM;
    if (was_asked_to_end && timeout_usec > 0 && elapsed_usec + TIMER_SLACK_USEC >= timeout_usec)
        return EXIT_REASON_TIMEOUT;
    return EXIT_REASON_NONE;
}

/* The capability that protects the job's secrets must be ambient, so that the script has it too. */
static int check_capability(const Options *options, Output *err) {
    static const char missing[] =
        "dcm-run: the capability CAP_IPC_LOCK is missing, which keeps other jobs of this user away "
        "from the job's secrets. Give it to the container or to the bounding set of systemd, or "
        "let "
        "the command run as another user.\n";

    if (!options->require_capability || geteuid() == 0 ||
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_IPC_LOCK, 0, 0) == 1)
        return 0;
    output_add(err, missing, strlen(missing));
    return -EPERM;
}

/* After the claim the script either runs, or the record says why not. Returns the exit status. */
static int run(int record_fd, const Options *options, char **script, Outputs *outputs) {
    ExitRecord record = {.started_usec = now_usec(CLOCK_REALTIME),
                         .output_max = options->output_max};
    const uint64_t begun_usec = now_usec(CLOCK_MONOTONIC);
    _cleanup_close_ int cgroup_fd = cgroup_open();
    int r;

    if (notes_boot)
        (void)boot_id_read(record.boot_id); /* without it, a reboot counts as an interruption */
    r = claim(record_fd, &record);
    if (r == -EALREADY) {
        (void)fputs("dcm-run: this job has been started before, or is refused\n", stderr);
        return EXIT_NO_RECORD;
    }
    if (r >= 0)
        r = check_capability(options, &outputs->err);
    if (r >= 0)
        r = run_all(options, script, &record, outputs);
    if (r < 0) {
        record.kind = EXIT_KIND_START_FAILED;
        record.status = -r;
    } else {
        record.reason =
            find_reason(now_usec(CLOCK_MONOTONIC) - begun_usec, options->timeout_usec, cgroup_fd);
        record.left_behind = cgroup_count_others(cgroup_fd);
    }
    output_summarize(&outputs->out, &record.out);
    output_summarize(&outputs->err, &record.err);
    record.ended_usec = now_usec(CLOCK_REALTIME);
    (void)write_record(record_fd, &record); /* without a record the unit's result counts */
    return exit_record_get_exit_status(&record);
}

int main(int argc, char **argv) {
    _cleanup_(job_files_done) JobFiles files = JOB_FILES_INIT;
    Options options = {.output_max = JOB_OUTPUT_DEFAULT};
    Outputs outputs;
    char **script;
    int status;

    ignore_signals();
    script = parse_arguments(argc, argv, &options);
    if (!script) {
        (void)fputs("usage: dcm-run [--timeout-usec=N] [--output-max=N] [--interpreter=PROGRAM] "
                    "[--require-capability] [--pass-signal] [--note-boot] [--pre=SCRIPT] "
                    "[--post=SCRIPT] -- SCRIPT "
                    "[ARGUMENT...]\n",
                    stderr);
        return EXIT_NO_RECORD;
    }
    if (files_take(&files) < 0)
        return EXIT_NO_RECORD;
    outputs_init(&outputs, &files, options.output_max);
    status = run(files.record_fd, &options, script, &outputs);
    outputs_done(&outputs);
    return status;
}
