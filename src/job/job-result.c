/* SPDX-License-Identifier: Apache-2.0 */
#include "job/job-result.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/file-util.h"
#include "basic/guid.h"
#include "basic/job-output.h"
#include "proto/message.h"
#include "proto/text.h"

int job_record_read(int dir_fd, ExitRecord *ret) {
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    int r;

    r = read_file_at(dir_fd, "exit", EXIT_RECORD_MAX, &text, &size);
    if (r == -ENOENT)
        return -ENODATA;
    if (r == -EFBIG) /* the job filled the record's file */
        return -EBADMSG;
    return r < 0 ? r : exit_record_parse(text, size, ret);
}

bool job_measure_output(const char *root, const char *guid, uint64_t *ret_bytes) {
    _cleanup_close_ int root_fd = -1, fd = -1;
    char name[JOB_NAME_SIZE];

    guid_to_job_name(guid, name);
    root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root_fd >= 0)
        fd = openat(root_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    *ret_bytes = 0;
    if (fd < 0)
        return errno != ENOENT;
    *ret_bytes = job_output_disk_usage(fd);
    return true;
}

static int read_text(const JobOutput *o, uint64_t limit, char **ret) {
    _cleanup_free_ char *bytes = NULL;
    size_t size = 0;

    TRY(job_output_read(o, limit, &bytes, &size));
    return utf8_replace_invalid(bytes, size, ret);
}

/* The gap for a stream that is not kept any more: the directory has outlived the output. */
static int tell_absence(const OutputSummary *s, char **ret) {
    const JobOutput o = {.summary = s ? *s : (OutputSummary){}};
    char gap[JOB_OUTPUT_GAP_SIZE] = "";

    if (o.summary.total_bytes > 0)
        job_output_gap(&o, o.summary.total_bytes, gap);
    *ret = strdup(gap);
    return *ret ? 0 : -ENOMEM;
}

/* Control characters take six bytes each in JSON: a stream full of them is shortened further, so
 * that the reply fits in a message. */
static int read_stream(const JobRemains *j, const char *name, const ExitRecord *record,
                       char **ret) {
    _cleanup_(job_output_done) JobOutput o = JOB_OUTPUT_INIT;
    _cleanup_free_ char *text = NULL;
    int r;

    r = job_output_open(j->dir_fd, name, record, &o);
    if (r == -ENOENT)
        return tell_absence(!record                 ? NULL
                            : streq(name, "stdout") ? &record->out
                                                    : &record->err,
                            ret);
    for (uint64_t limit = j->output_max; r >= 0; limit /= 2) {
        free(TAKE_PTR(text));
        r = read_text(&o, limit, &text);
        if (r >= 0 && json_string_size(text) <= REPLY_STREAM_MAX)
            break;
    }
    if (r >= 0)
        *ret = TAKE_PTR(text);
    return r;
}

/* Adds a line of the agent to standard error, after the script's text. */
static int append_note(char **text, const char *note) {
    size_t size = strlen(*text);
    char *joined;

    if (isempty(note))
        return 0;
    if (asprintf(&joined, "%s%s%s", *text, size > 0 && (*text)[size - 1] != '\n' ? "\n" : "",
                 note) < 0)
        return -ENOMEM;
    free(*text);
    *text = joined;
    return 0;
}

/* `record` may be NULL. */
static int build(const JobRemains *j, int return_code, const ExitRecord *record, const char *note,
                 struct json_object **ret) {
    _cleanup_free_ char *message = NULL, *error_message = NULL;

    TRY(read_stream(j, "stdout", record, &message));
    TRY(read_stream(j, "stderr", record, &error_message));
    TRY(append_note(&error_message, note));
    return reply_new(return_code, "void", NULL, message, error_message, ret);
}

/* Explains an end that the exit status does not show. */
static int explain_end(const ExitRecord *record, bool cancelled, char *note, size_t size) {
    if (record->reason == EXIT_REASON_OOM) {
        (void)snprintf(note, size, "The job exceeded its memory limit.\n");
        return JOB_RETURN_OOM;
    }
    if (record->reason == EXIT_REASON_TIMEOUT && !cancelled) {
        (void)snprintf(note, size, "The job exceeded its time limit and was terminated.\n");
        return JOB_RETURN_TIMEOUT;
    }
    if (record->kind == EXIT_KIND_KILLED) {
        (void)utf8_format(note, size, "The job was %s by signal %d (%s).\n",
                          cancelled ? "cancelled, and ended" : "ended", record->status,
                          strempty(sigabbrev_np(record->status)));
        return -record->status;
    }
    if (cancelled)
        (void)snprintf(note, size, "The job was cancelled.\n");
    return record->status;
}

/* Otherwise the stop of the unit kills them too. */
static bool keeps_processes(const JobRemains *j, const ExitRecord *record) {
    return !j->cancelled && record->reason == EXIT_REASON_NONE &&
           faccessat(j->dir_fd, "keep", F_OK, AT_SYMLINK_NOFOLLOW) >= 0;
}

int job_reply_from_record(const JobRemains *j, const ExitRecord *record, struct json_object **ret) {
    char note[320] = "";
    int return_code;
    size_t used;

    if (record->kind == EXIT_KIND_START_FAILED && record->status == ECANCELED) {
        return_code = 1;
        (void)snprintf(note, sizeof(note), "The job was cancelled before it started.\n");
    } else if (record->kind == EXIT_KIND_START_FAILED) {
        return_code = record->status == ENOENT ? 127 : 126;
        (void)utf8_format(note, sizeof(note), "The job could not be started: %s\n",
                          strerror(record->status));
    } else
        return_code = explain_end(record, j->cancelled, note, sizeof(note));
    used = strlen(note);
    if (record->left_behind > 0)
        (void)snprintf(note + used, sizeof(note) - used,
                       "The job left %" PRIu64 " process%s behind, %s.\n", record->left_behind,
                       record->left_behind == 1 ? "" : "es",
                       !keeps_processes(j, record) ? "ended with it"
                       : record->left_behind == 1  ? "which keeps running"
                                                   : "which keep running");
    return build(j, return_code, record, note, ret);
}

void job_record_add_reason(ExitRecord *record, const UnitStatus *status) {
    if (record->kind != EXIT_KIND_KILLED || record->reason != EXIT_REASON_NONE)
        return;
    if (streq(status->result, "timeout"))
        record->reason = EXIT_REASON_TIMEOUT;
    else if (streq(status->result, "oom-kill"))
        record->reason = EXIT_REASON_OOM;
}

bool job_record_agrees(const ExitRecord *record, const UnitStatus *status) {
    const bool is_refusal = record->kind == EXIT_KIND_START_FAILED;

    if (status->main_code == 0) /* systemd knows no process, but perhaps why */
        return is_refusal || isempty(status->result) || streq(status->result, "success");
    return status->main_code == CLD_EXITED &&
           (status->main_status == exit_record_get_exit_status(record) ||
            (is_refusal && status->main_status == EXIT_NO_RECORD));
}

/* Of systemd.exec(5), "Process Exit Codes": what kept it from starting dcm-run. */
static const char *explain_exit_code(const UnitStatus *status) {
    static const struct {
        int code;
        const char *text;
    } known[] = {
        {200, "the home directory of its user cannot be entered (200/CHDIR)"},
        {203, "dcm-run cannot be executed; install dcm-agent again (203/EXEC)"},
        {216, "its group does not exist on this machine (216/GROUP)"},
        {217, "its user does not exist on this machine (217/USER)"},
        {219, "its control group cannot be set up (219/CGROUP)"},
        {226, "its view of the file system cannot be set up (226/NAMESPACE)"},
        {243, "its secrets cannot be passed (243/CREDENTIALS)"},
    };

    if (!streq(status->result, "exit-code") || status->main_code != CLD_EXITED)
        return NULL;
    for (size_t i = 0; i < ELEMENTSOF(known); i++)
        if (known[i].code == status->main_status)
            return known[i].text;
    return NULL;
}

int job_reply_from_unit(const JobRemains *j, const UnitStatus *status, const ExitRecord *record,
                        struct json_object **ret) {
    bool killed = status->main_code == CLD_KILLED || status->main_code == CLD_DUMPED;
    int return_code = killed ? -status->main_status : status->main_status;
    const char *what = j->cancelled ? "The job was cancelled" : "The job did not end by itself";
    const char *why = explain_exit_code(status);
    char note[256], claim[96] = "";

    if (streq(status->result, "oom-kill")) {
        return_code = JOB_RETURN_OOM;
        what = "The job exceeded its memory limit";
    } else if (streq(status->result, "timeout") && !j->cancelled) {
        return_code = JOB_RETURN_TIMEOUT;
        what = "The job exceeded its time limit and was terminated";
    }
    if (record)
        (void)utf8_format(claim, sizeof(claim),
                          " Its exit record, '%s %d', contradicts systemd and is ignored.",
                          exit_kind_to_string(record->kind), record->status);
    if (why && !record && !j->cancelled)
        (void)utf8_format(note, sizeof(note),
                          "systemd could not start the job: %s; the journal has more.\n", why);
    else
        (void)utf8_format(note, sizeof(note), "%s: systemd reports '%s'.%s\n", what, status->result,
                          claim);
    return build(j, return_code != 0 ? return_code : 1, NULL, note, ret);
}

/* dcm-run ignores the first signal of a cancellation, so without a record the script never ran, or
 * a reboot interrupted it. */
int job_reply_cancelled(const JobRemains *j, struct json_object **ret) {
    return build(j, 1, NULL,
                 "The job was cancelled; it had not started, or a reboot interrupted it.\n", ret);
}

int job_reply_lost(struct json_object **ret) {
    static const char text[] = "The job was executed but the state of the execution was lost.";
    _cleanup_json_ struct json_object *o = NULL;

    TRY(reply_new(1, "void", NULL, NULL, text, &o));
    TRY(json_add_string(o, "Exception", text));
    *ret = TAKE_PTR(o);
    return 0;
}
