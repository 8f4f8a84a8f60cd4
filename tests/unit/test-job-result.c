/* SPDX-License-Identifier: Apache-2.0 */
/* Proves what the manager is told of each end of a job, that any output makes a valid reply, and
 * that the largest one still fits in a message. */
#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/guid.h"
#include "job/job-result.h"
#include "proto/message.h"
#include "temporary.h"

typedef struct Fixture {
    char *dir;
    int fd;
    struct json_object *reply;
} Fixture;

static void fixture_init(Fixture *f, const char *out, const char *err) {
    *f = (Fixture){.dir = temporary_new()};
    f->fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    g_assert_cmpint(f->fd, >=, 0);
    if (out)
        temporary_write(f->dir, "stdout", out, strlen(out));
    if (err)
        temporary_write(f->dir, "stderr", err, strlen(err));
}

static void fixture_done(Fixture *f) {
    json_object_put(f->reply);
    safe_close(f->fd);
    temporary_remove(&f->dir);
}
#define _cleanup_fixture_ _cleanup_(fixture_done)
#define REMAINS(is_cancelled)                                                                      \
    (&(const JobRemains){                                                                          \
        .dir_fd = f.fd, .cancelled = (is_cancelled), .output_max = REPLY_OUTPUT_DEFAULT})

static ExitRecord make_record(ExitKind kind, int status, const char *out, const char *err) {
    return (ExitRecord){.kind = kind,
                        .status = status,
                        .out = {.total_bytes = strlen(out), .head_bytes = strlen(out)},
                        .err = {.total_bytes = strlen(err), .head_bytes = strlen(err)}};
}

static void assert_reply(struct json_object *reply, int code, const char *message,
                         const char *error_message) {
    g_assert_cmpint(json_object_get_int(json_get(reply, "return_code")), ==, code);
    g_assert_cmpstr(json_get_string(reply, "reply_type"), ==, "void");
    g_assert_true(json_object_object_get_ex(reply, "reply_object", NULL));
    g_assert_cmpstr(json_get_string(reply, "message"), ==, message);
    g_assert_cmpstr(json_get_string(reply, "error_message"), ==, error_message);
}

static void test_records(void) {
    static const struct {
        ExitKind kind;
        int status;
        bool cancelled;
        const char *out, *err;
        int code;
        const char *error_message;
    } cases[] = {
        {EXIT_KIND_EXITED, 0, false, "hello\n", "", 0, ""},
        {EXIT_KIND_EXITED, 3, false, "hello\n", "oops\n", 3, "oops\n"},
        {EXIT_KIND_EXITED, 255, false, "", "oops", 255, "oops"},
        {EXIT_KIND_EXITED, 0, true, "x", "oops", 0, "oops\nThe job was cancelled.\n"},
        {EXIT_KIND_KILLED, SIGKILL, false, "x", "oops\n", -9,
         "oops\nThe job was ended by signal 9 (KILL).\n"},
        {EXIT_KIND_KILLED, SIGTERM, true, "x", "", -15,
         "The job was cancelled, and ended by signal 15 (TERM).\n"},
        {EXIT_KIND_KILLED, 64, false, "", "", -64, "The job was ended by signal 64 ().\n"},
        {EXIT_KIND_START_FAILED, ENOENT, false, "", "", 127,
         "The job could not be started: No such file or directory\n"},
        {EXIT_KIND_START_FAILED, EACCES, false, "", "", 126,
         "The job could not be started: Permission denied\n"},
        {EXIT_KIND_START_FAILED, ECANCELED, true, "", "", 1,
         "The job was cancelled before it started.\n"},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        ExitRecord record = make_record(cases[i].kind, cases[i].status, cases[i].out, cases[i].err);
        _cleanup_fixture_ Fixture f;

        fixture_init(&f, cases[i].out, cases[i].err);
        g_assert_cmpint(job_reply_from_record(REMAINS(cases[i].cancelled), &record, &f.reply), ==,
                        0);
        assert_reply(f.reply, cases[i].code, cases[i].out, cases[i].error_message);
    }
}

static void test_reasons(void) {
    static const struct {
        ExitKind kind;
        int status;
        ExitReason reason;
        uint64_t left_behind;
        bool cancelled;
        int code;
        const char *error_message;
    } cases[] = {
        {EXIT_KIND_KILLED, SIGTERM, EXIT_REASON_TIMEOUT, 0, false, JOB_RETURN_TIMEOUT,
         "The job exceeded its time limit and was terminated.\n"},
        {EXIT_KIND_EXITED, 0, EXIT_REASON_TIMEOUT, 0, false, JOB_RETURN_TIMEOUT,
         "The job exceeded its time limit and was terminated.\n"},
        {EXIT_KIND_KILLED, SIGTERM, EXIT_REASON_TIMEOUT, 0, true, -SIGTERM,
         "The job was cancelled, and ended by signal 15 (TERM).\n"},
        {EXIT_KIND_KILLED, SIGKILL, EXIT_REASON_OOM, 0, false, JOB_RETURN_OOM,
         "The job exceeded its memory limit.\n"},
        {EXIT_KIND_EXITED, 0, EXIT_REASON_NONE, 1, false, 0,
         "The job left 1 process behind, ended with it.\n"},
        {EXIT_KIND_EXITED, 7, EXIT_REASON_NONE, 12, true, 7,
         "The job was cancelled.\nThe job left 12 processes behind, ended with it.\n"},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        ExitRecord record = make_record(cases[i].kind, cases[i].status, "x", "");
        _cleanup_fixture_ Fixture f;

        record.reason = cases[i].reason;
        record.left_behind = cases[i].left_behind;
        fixture_init(&f, "x", "");
        g_assert_cmpint(job_reply_from_record(REMAINS(cases[i].cancelled), &record, &f.reply), ==,
                        0);
        assert_reply(f.reply, cases[i].code, "x", cases[i].error_message);
    }
}

static void test_units(void) {
    static const struct {
        UnitStatus status;
        bool cancelled;
        int code;
        const char *error_message;
    } cases[] = {
        {{.result = "oom-kill", .main_code = CLD_KILLED, .main_status = SIGKILL},
         false,
         JOB_RETURN_OOM,
         "The job exceeded its memory limit: systemd reports 'oom-kill'.\n"},
        {{.result = "timeout", .main_code = CLD_KILLED, .main_status = SIGTERM},
         false,
         JOB_RETURN_TIMEOUT,
         "The job exceeded its time limit and was terminated: systemd reports 'timeout'.\n"},
        {{.result = "core-dump", .main_code = CLD_DUMPED, .main_status = SIGSEGV},
         false,
         -11,
         "The job did not end by itself: systemd reports 'core-dump'.\n"},
        {{.result = "signal", .main_code = CLD_KILLED, .main_status = SIGTERM},
         true,
         -15,
         "The job was cancelled: systemd reports 'signal'.\n"},
        {{.result = "exit-code", .main_code = CLD_EXITED, .main_status = 203},
         false,
         203,
         "systemd could not start the job: dcm-run cannot be executed; install dcm-agent again "
         "(203/EXEC); the journal has more.\n"},
        {{.result = "exit-code", .main_code = CLD_EXITED, .main_status = 217},
         false,
         217,
         "systemd could not start the job: its user does not exist on this machine (217/USER); the "
         "journal has more.\n"},
        {{.result = "exit-code", .main_code = CLD_EXITED, .main_status = 7},
         false,
         7,
         "The job did not end by itself: systemd reports 'exit-code'.\n"},
        {{.result = "signal", .main_code = CLD_KILLED, .main_status = 217},
         false,
         -217,
         "The job did not end by itself: systemd reports 'signal'.\n"},
        {{.result = "success"},
         false,
         1,
         "The job did not end by itself: systemd reports 'success'.\n"},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_fixture_ Fixture f;

        fixture_init(&f, "out", NULL);
        g_assert_cmpint(
            job_reply_from_unit(REMAINS(cases[i].cancelled), &cases[i].status, NULL, &f.reply), ==,
            0);
        assert_reply(f.reply, cases[i].code, "out", cases[i].error_message);
    }
}

/* Section 4: an old manager knows it by these two keys. */
/* What ends the unit ends what is left in it, too. */
static void test_kept_processes(void) {
    static const struct {
        uint64_t left_behind;
        ExitReason reason;
        bool cancelled;
        const char *note;
    } cases[] = {
        {1, EXIT_REASON_NONE, false, "The job left 1 process behind, which keeps running.\n"},
        {2, EXIT_REASON_NONE, false, "The job left 2 processes behind, which keep running.\n"},
        {2, EXIT_REASON_NONE, true, "The job left 2 processes behind, ended with it.\n"},
        {2, EXIT_REASON_TIMEOUT, false, "The job left 2 processes behind, ended with it.\n"},
        {2, EXIT_REASON_OOM, false, "The job left 2 processes behind, ended with it.\n"},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        ExitRecord record = make_record(EXIT_KIND_EXITED, 0, "", "");
        _cleanup_fixture_ Fixture f;

        fixture_init(&f, "", "");
        temporary_write(f.dir, "keep", "", 0);
        record.left_behind = cases[i].left_behind;
        record.reason = cases[i].reason;
        g_assert_cmpint(job_reply_from_record(REMAINS(cases[i].cancelled), &record, &f.reply), ==,
                        0);
        g_assert_true(g_str_has_suffix(json_get_string(f.reply, "error_message"), cases[i].note));
    }
}

/* Where record and unit tell different stories, whichever of the two says so, the reply is never
 * that of a success. */
static void test_contradictions(void) {
    static const struct {
        ExitKind kind;
        int status, code, main_status;
        bool agrees;
        int return_code;
        const char *result;
    } cases[] = {
        {EXIT_KIND_EXITED, 0, CLD_EXITED, 0, true, 0},
        {EXIT_KIND_EXITED, 3, CLD_EXITED, 3, true, 3},
        {EXIT_KIND_KILLED, SIGKILL, CLD_EXITED, 128 + SIGKILL, true, -SIGKILL},
        {EXIT_KIND_START_FAILED, ENOENT, CLD_EXITED, 127, true, 127},
        {EXIT_KIND_START_FAILED, EACCES, CLD_EXITED, 126, true, 126},
        {EXIT_KIND_EXITED, 0, 0, 0, true, 0}, /* systemd knows nothing */
        {EXIT_KIND_EXITED, 0, CLD_KILLED, SIGKILL, false, -SIGKILL},
        {EXIT_KIND_EXITED, 0, CLD_DUMPED, SIGABRT, false, -SIGABRT},
        {EXIT_KIND_EXITED, 0, CLD_EXITED, 3, false, 3},
        {EXIT_KIND_EXITED, 3, CLD_EXITED, 0, false, 1},
        {EXIT_KIND_KILLED, SIGKILL, CLD_EXITED, 0, false, 1},
        {EXIT_KIND_KILLED, SIGKILL, CLD_KILLED, SIGKILL, false, -SIGKILL},
        {EXIT_KIND_START_FAILED, ENOENT, CLD_EXITED, 0, false, 1},
        /* cancelled, while an earlier executor's start of it was under way */
        {EXIT_KIND_START_FAILED, ECANCELED, CLD_EXITED, 125, true, 1, "exit-code"},
        {EXIT_KIND_EXITED, 0, CLD_EXITED, 125, false, 125, "exit-code"},
        /* no process began */
        {EXIT_KIND_START_FAILED, EAGAIN, 0, 0, true, 126, "resources"},
        {EXIT_KIND_EXITED, 0, 0, 0, false, 1, "resources"},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        UnitStatus status = {
            .ended = true, .main_code = cases[i].code, .main_status = cases[i].main_status};
        ExitRecord record = make_record(cases[i].kind, cases[i].status, "", "");
        _cleanup_fixture_ Fixture f;

        g_strlcpy(status.result, cases[i].result ?: "success", sizeof(status.result));
        fixture_init(&f, "", "");
        g_assert_cmpint(job_record_agrees(&record, &status), ==, cases[i].agrees);
        if (cases[i].agrees)
            g_assert_cmpint(job_reply_from_record(REMAINS(false), &record, &f.reply), ==, 0);
        else
            g_assert_cmpint(job_reply_from_unit(REMAINS(false), &status, &record, &f.reply), ==, 0);
        g_assert_cmpint(json_object_get_int(json_get(f.reply, "return_code")), ==,
                        cases[i].return_code);
        g_assert_cmpint(!!strstr(json_get_string(f.reply, "error_message"), "contradicts systemd"),
                        ==, !cases[i].agrees);
    }
}

/* dcm-run saw a signal, systemd knows why it came. */
static void test_reason_of_systemd(void) {
    static const struct {
        ExitKind kind;
        int status;
        const char *result;
        int return_code;
    } cases[] = {
        {EXIT_KIND_KILLED, SIGTERM, "timeout", JOB_RETURN_TIMEOUT},
        {EXIT_KIND_KILLED, SIGKILL, "oom-kill", JOB_RETURN_OOM},
        {EXIT_KIND_KILLED, SIGTERM, "success", -SIGTERM},
        {EXIT_KIND_EXITED, 3, "timeout", 3}, /* it ended by itself, at the last moment */
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        ExitRecord record = make_record(cases[i].kind, cases[i].status, "", "");
        UnitStatus status = {.ended = true, .main_code = CLD_EXITED};
        _cleanup_fixture_ Fixture f;

        g_strlcpy(status.result, cases[i].result, sizeof(status.result));
        fixture_init(&f, "", "");
        job_record_add_reason(&record, &status);
        g_assert_cmpint(job_reply_from_record(REMAINS(false), &record, &f.reply), ==, 0);
        g_assert_cmpint(json_object_get_int(json_get(f.reply, "return_code")), ==,
                        cases[i].return_code);
    }
}

static void test_lost(void) {
    static const char text[] = "The job was executed but the state of the execution was lost.";
    _cleanup_json_ struct json_object *reply = NULL;

    g_assert_cmpint(job_reply_lost(&reply), ==, 0);
    assert_reply(reply, 1, "", text);
    g_assert_cmpstr(json_get_string(reply, "Exception"), ==, text);
}

/* Cancelled and gone without a trace is not lost. */
static void test_cancelled(void) {
    _cleanup_fixture_ Fixture f;

    fixture_init(&f, "out", "err");
    g_assert_cmpint(job_reply_cancelled(REMAINS(true), &f.reply), ==, 0);
    assert_reply(f.reply, 1, "out",
                 "err\nThe job was cancelled; it had not started, or a reboot interrupted it.\n");
    g_assert_null(json_get_string(f.reply, "Exception"));
}

static void test_invalid_utf8(void) {
    static const char out[] = "a\xff\xc3", err[] = "\xed\xa0\x80";
    ExitRecord record = make_record(EXIT_KIND_EXITED, 1, out, err);
    _cleanup_fixture_ Fixture f;
    _cleanup_free_ char *text = NULL;

    fixture_init(&f, out, err);
    g_assert_cmpint(job_reply_from_record(REMAINS(false), &record, &f.reply), ==, 0);
    assert_reply(f.reply, 1, "a\xef\xbf\xbd\xef\xbf\xbd", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    g_assert_cmpint(json_encode(f.reply, &text, NULL), ==, 0);
    g_assert_true(g_utf8_validate(text, -1, NULL));
}

/* It was dropped, and the request forgotten: the record still tells what there was. */
static void test_missing_output(void) {
    ExitRecord record = make_record(EXIT_KIND_EXITED, 0, "four", "");
    _cleanup_fixture_ Fixture f;

    fixture_init(&f, NULL, NULL);
    memset(record.out.sha256, 'f', 64);
    g_assert_cmpint(job_reply_from_record(REMAINS(false), &record, &f.reply), ==, 0);
    assert_reply(f.reply, 0,
                 "\n[... 4 of 4 bytes left out; SHA-256 of all: ffffffffffffffffffffffffffffffff"
                 "ffffffffffffffffffffffffffffffff ...]\n",
                 "");
}

/* Both streams full, of each byte that takes much room in JSON or is replaced, with every setting
 * of how much is kept and how much is told: the reply fits in a message, and says what is missing.
 */
static void test_largest(void) {
    static const uint8_t bytes[] = {'x', 1, 0x1f, '"', '\n', 0, 0xff, 0xc3};
    static const uint64_t told[] = {4096, REPLY_OUTPUT_DEFAULT, REPLY_OUTPUT_MAX};
    static const uint64_t kept[] = {JOB_OUTPUT_MIN, JOB_OUTPUT_DEFAULT, 8 * JOB_OUTPUT_DEFAULT};

    for (size_t i = 0; i < ELEMENTSOF(bytes) * ELEMENTSOF(told) * ELEMENTSOF(kept); i++) {
        const uint64_t limit = told[i % 3], size = kept[i / 3 % 3];
        g_autofree char *data = g_malloc(size);
        ExitRecord record = make_record(EXIT_KIND_EXITED, 0, "", "");
        _cleanup_fixture_ Fixture f;
        _cleanup_free_ char *text = NULL;
        size_t text_size = 0;

        memset(data, bytes[i / 9], size);
        fixture_init(&f, NULL, NULL);
        temporary_write(f.dir, "stdout", data, size);
        temporary_write(f.dir, "stderr", data, size);
        record.output_max = size;
        record.out = record.err = (OutputSummary){.total_bytes = 10 * size,
                                                  .head_bytes = size / 2,
                                                  .tail_bytes = size / 2,
                                                  .tail_offset = 10 * size - size / 2};
        g_assert_cmpint(job_reply_from_record(&(JobRemains){f.fd, true, limit}, &record, &f.reply),
                        ==, 0);
        g_assert_cmpint(json_encode(f.reply, &text, &text_size), ==, 0);
        g_assert_cmpuint(text_size, >, MIN(limit, size) / 2);
        g_assert_cmpuint(text_size, <, MESSAGE_SIZE_MAX - 65536); /* room for the message around */
        g_assert_nonnull(strstr(json_get_string(f.reply, "message"), " bytes left out; SHA-256 "));
        g_assert_true(g_str_has_suffix(json_get_string(f.reply, "error_message"), "cancelled.\n"));
    }
}

/* Whole up to what is configured, one byte more and it is cut. */
static void test_limit(void) {
    static const size_t sizes[] = {4096, 4097};

    for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
        g_autofree char *data = g_strnfill(sizes[i], 'x');
        ExitRecord record = make_record(EXIT_KIND_EXITED, 0, data, "");
        _cleanup_fixture_ Fixture f;

        fixture_init(&f, data, "");
        g_assert_cmpint(job_reply_from_record(&(JobRemains){f.fd, false, 4096}, &record, &f.reply),
                        ==, 0);
        g_assert_cmpint(streq(json_get_string(f.reply, "message"), data), ==, sizes[i] == 4096);
        if (sizes[i] > 4096)
            g_assert_nonnull(strstr(json_get_string(f.reply, "message"),
                                    "\n[... 1 of 4097 bytes left out; SHA-256 of all: "));
    }
}

/* dcm-run was killed: what is kept may be more than fits in a reply. */
static void test_large_without_record(void) {
    static const char claim[] = EXIT_RECORD_CLAIM "OUTPUT_MAX=33554432\n";
    const size_t size = 24 * 1024 * 1024;
    UnitStatus status = {.result = "signal", .main_code = CLD_KILLED, .main_status = SIGKILL};
    g_autofree char *data = g_malloc0(size);
    _cleanup_free_ char *text = NULL;
    _cleanup_fixture_ Fixture f;
    size_t text_size = 0;

    fixture_init(&f, NULL, NULL);
    temporary_write(f.dir, "stdout", data, size);
    temporary_write(f.dir, "exit", claim, strlen(claim));
    g_assert_cmpint(job_reply_from_unit(REMAINS(false), &status, NULL, &f.reply), ==, 0);
    g_assert_cmpint(json_encode(f.reply, &text, &text_size), ==, 0);
    g_assert_cmpuint(text_size, <, MESSAGE_SIZE_MAX - 65536);
    g_assert_true(
        g_str_has_suffix(json_get_string(f.reply, "message"), "more was left out ...]\n"));
}

static void test_record_read(void) {
    g_autofree char *big = g_strnfill(EXIT_RECORD_MAX + 1, 'x');
    ExitRecord record = make_record(EXIT_KIND_EXITED, 3, "", ""), back;
    _cleanup_free_ char *text = NULL;
    _cleanup_fixture_ Fixture f;

    sha256_hex("", 0, record.out.sha256);
    sha256_hex("", 0, record.err.sha256);
    fixture_init(&f, NULL, NULL);
    g_assert_cmpint(job_record_read(f.fd, &back), ==, -ENODATA);
    temporary_write(f.dir, "exit", "", 0);
    g_assert_cmpint(job_record_read(f.fd, &back), ==, -ENODATA);
    temporary_write(f.dir, "exit", "DCM_EXIT_RECORD=1\nKIND=ex", 25);
    g_assert_cmpint(job_record_read(f.fd, &back), ==, -ENODATA);
    temporary_write(f.dir, "exit", "junk\nEND=1\n", 11);
    g_assert_cmpint(job_record_read(f.fd, &back), ==, -EBADMSG);
    temporary_write(f.dir, "exit", big, EXIT_RECORD_MAX + 1);
    g_assert_cmpint(job_record_read(f.fd, &back), ==, -EBADMSG);
    g_assert_cmpint(exit_record_render(&record, &text), ==, 0);
    temporary_write(f.dir, "exit", text, strlen(text));
    g_assert_cmpint(job_record_read(f.fd, &back), ==, 0);
    g_assert_cmpint(back.status, ==, 3);
}

/* A directory that cannot be opened now is there all the same, and must be removed one day. */
static void test_measure_output(void) {
    const char guid[] = "8a7c51b6-1111-4222-8333-0123456789ab";
    _cleanup_free_ char *root = g_dir_make_tmp("dcm-job-result-XXXXXX", NULL), *path = NULL;
    char name[JOB_NAME_SIZE];
    uint64_t size_bytes = 1;

    guid_to_job_name(guid, name);
    path = g_build_filename(root, name, NULL);
    g_assert_false(job_measure_output("/nonexistent", guid, &size_bytes));
    g_assert_false(job_measure_output(root, guid, &size_bytes));
    g_assert_true(g_file_set_contents(path, "", 0, NULL));
    size_bytes = 1;
    g_assert_true(job_measure_output(root, guid, &size_bytes));
    g_assert_cmpuint(size_bytes, ==, 0);
    g_assert_cmpint(unlink(path), ==, 0);
    g_assert_cmpint(mkdir(path, 0700), ==, 0);
    g_assert_true(job_measure_output(root, guid, &size_bytes));
    g_assert_cmpint(rmdir(path), ==, 0);
    g_assert_cmpint(rmdir(root), ==, 0);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/job-result/records", test_records);
    g_test_add_func("/job-result/measure-output", test_measure_output);
    g_test_add_func("/job-result/reasons", test_reasons);
    g_test_add_func("/job-result/units", test_units);
    g_test_add_func("/job-result/kept-processes", test_kept_processes);
    g_test_add_func("/job-result/contradictions", test_contradictions);
    g_test_add_func("/job-result/reason-of-systemd", test_reason_of_systemd);
    g_test_add_func("/job-result/lost", test_lost);
    g_test_add_func("/job-result/cancelled", test_cancelled);
    g_test_add_func("/job-result/invalid-utf8", test_invalid_utf8);
    g_test_add_func("/job-result/missing-output", test_missing_output);
    g_test_add_func("/job-result/largest", test_largest);
    g_test_add_func("/job-result/limit", test_limit);
    g_test_add_func("/job-result/large-without-record", test_large_without_record);
    g_test_add_func("/job-result/record-read", test_record_read);
    return g_test_run();
}
