/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that a pipeline is done only when all its programs are, that a sink hears of the end only
 * then, and that a failure anywhere ends all of it. */
#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/time-util.h"
#include "dcm-backup/pipeline.h"

#define PATIENCE (600 * USEC_PER_SEC)
/* says "complete" only if the byte has come behind the input */
#define SINK "data=$(cat | wc -c); read -r -n 1 byte <&3; echo \"$data ${byte:-cut}\""

static int add(Pipeline *p, const char *script, StageInput in, StageOutput out) {
    const Stage stage = {.name = script,
                         .argv = (const char *const[]){"bash", "-c", script, NULL},
                         .input = in,
                         .output = out,
                         .is_confirmed = in == STAGE_SINK};
    const int i = pipeline_add(p, &stage);

    g_assert_cmpint(i, >=, 0);
    return i;
}

static Pipeline *new_pipeline(void) {
    Pipeline *p = pipeline_new(now_usec(CLOCK_BOOTTIME) + PATIENCE);

    g_assert_nonnull(p);
    return p;
}

static void test_all_well(void) {
    _cleanup_(pipeline_freep) Pipeline *p = new_pipeline();
    char hex[SHA256_HEX_SIZE], expected[SHA256_HEX_SIZE];
    g_autofree char *zeros = g_malloc0(1000000);
    int a, b;

    (void)add(p, "head -c 1000000 /dev/zero", STAGE_NO_INPUT, STAGE_TO_NEXT);
    (void)add(p, "cat", STAGE_FROM_PREVIOUS, STAGE_TO_NEXT);
    a = add(p, SINK, STAGE_SINK, STAGE_OUTPUT_KEPT);
    b = add(p, SINK, STAGE_SINK, STAGE_OUTPUT_KEPT);
    g_assert_cmpint(pipeline_run(p), ==, 0);
    g_assert_cmpstr(pipeline_output(p, a, NULL), ==, "1000000 1\n");
    g_assert_cmpstr(pipeline_output(p, b, NULL), ==, "1000000 1\n");
    g_assert_cmpuint(pipeline_size(p), ==, 1000000);
    pipeline_sha256(p, hex);
    sha256_hex(zeros, 1000000, expected);
    g_assert_cmpstr(hex, ==, expected);
}

static const struct {
    const char *first, *second, *error;
} failures[] = {
    {"echo x; echo why >&2; exit 3", "cat", "failed with status 3: why"},
    {"echo x", "cat; echo because >&2; exit 4", "failed with status 4: because"},
    {"echo x; exit 255", "cat", "failed with status 255"},
    /* its output ends before it does: what its reader says of that follows from it */
    {"exec >&-; sleep 0.2; echo why >&2; exit 3", "cat; exit 4", "failed with status 3: why"},
    {"echo x; kill -9 $$", "cat", "was ended by signal 9 (KILL)"},
    {"cat /dev/zero", "head -c 1000 >&2; exit 5", "failed with status 5"}, /* not the SIGPIPE */
    /* it has taken nothing of what was there for it */
    {"exec head -c 10000000 /dev/zero", "sleep 0.2; echo why >&2; exit 5", "status 5: why"},
    {"exec cat /dev/zero", "exec head -c 100000", "was ended by signal 13 (PIPE)"},
};

/* No sink is told that its input was complete. */
static void test_failures(void) {
    for (size_t i = 0; i < G_N_ELEMENTS(failures); i++) {
        g_autofree char *name = NULL;
        g_autofree char *script = NULL;
        int fd = g_file_open_tmp("dcm-XXXXXX", &name, NULL);
        _cleanup_(pipeline_freep) Pipeline *p = new_pipeline();
        g_autofree char *text = NULL;

        (void)close(fd);
        script = g_strdup_printf("cat >/dev/null; read -r -n 1 b <&3 && echo told >%s", name);
        (void)add(p, failures[i].first, STAGE_NO_INPUT, STAGE_TO_NEXT);
        (void)add(p, failures[i].second, STAGE_FROM_PREVIOUS, STAGE_TO_NEXT);
        (void)add(p, script, STAGE_SINK, STAGE_OUTPUT_KEPT);
        g_assert_cmpint(pipeline_run(p), ==, -EIO);
        if (!strstr(pipeline_error(p), failures[i].error))
            g_error("%zu: %s", i, pipeline_error(p));
        g_assert_true(g_file_get_contents(name, &text, NULL, NULL));
        g_assert_cmpstr(text, ==, "");
        (void)unlink(name);
    }
}

static int check(void *userdata) {
    const int *result = userdata;

    return *result;
}

/* All programs have ended well, and what they made is not wanted. */
static void test_check(void) {
    for (int result = -1; result <= 0; result++) {
        _cleanup_(pipeline_freep) Pipeline *p = new_pipeline();
        int sink;

        pipeline_set_check(p, check, &result);
        (void)add(p, "echo x", STAGE_NO_INPUT, STAGE_TO_NEXT);
        sink = add(p, SINK, STAGE_SINK, STAGE_OUTPUT_KEPT);
        g_assert_cmpint(pipeline_run(p), ==, result < 0 ? -EIO : 0);
        g_assert_cmpstr(pipeline_output(p, sink, NULL), ==, result < 0 ? "" : "2 1\n");
    }
}

static void test_sinks_fail_alone(void) {
    _cleanup_(pipeline_freep) Pipeline *p = new_pipeline();
    int bad, good;

    (void)add(p, "head -c 300000 /dev/zero", STAGE_NO_INPUT, STAGE_TO_NEXT);
    bad = add(p, "echo no >&2; exit 6", STAGE_SINK, STAGE_OUTPUT_KEPT);
    good = add(p, SINK, STAGE_SINK, STAGE_OUTPUT_KEPT);
    g_assert_cmpint(pipeline_run(p), ==, 0);
    g_assert_cmpint(pipeline_status(p, bad), ==, 6);
    g_assert_cmpstr(pipeline_messages(p, bad), ==, "no");
    g_assert_cmpstr(pipeline_output(p, good, NULL), ==, "300000 1\n");
}

static void test_all_sinks_fail(void) {
    _cleanup_(pipeline_freep) Pipeline *p = new_pipeline();

    (void)add(p, "exec cat /dev/zero", STAGE_NO_INPUT, STAGE_TO_NEXT);
    (void)add(p, "exit 6", STAGE_SINK, STAGE_OUTPUT_KEPT);
    (void)add(p, "exit 7", STAGE_SINK, STAGE_OUTPUT_KEPT);
    g_assert_cmpint(pipeline_run(p), ==, -EIO);
    g_assert_nonnull(strstr(pipeline_error(p), "failed with status"));
}

/* What is looked at is still there for the next one. */
static void test_peek(void) {
    static const struct {
        const char *script, *head, *all;
    } peeks[] = {
        {"printf 0123456789", "01234567", "0123456789"},
        {"printf 0123; sleep 0.1; printf 456789", "01234567", "0123456789"},
        {"printf 012", "012", "012"},
        {"true", "", ""},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(peeks); i++) {
        _cleanup_(pipeline_freep) Pipeline *p = new_pipeline();
        char head[9] = "";
        size_t size = 0;
        int last;

        (void)add(p, peeks[i].script, STAGE_NO_INPUT, STAGE_TO_NEXT);
        g_assert_cmpint(pipeline_peek(p, head, 8, &size), ==, 0);
        g_assert_cmpuint(size, ==, strlen(peeks[i].head));
        g_assert_cmpstr(head, ==, peeks[i].head);
        last = add(p, "cat", STAGE_FROM_PREVIOUS, STAGE_OUTPUT_KEPT);
        g_assert_cmpint(pipeline_run(p), ==, 0);
        g_assert_cmpstr(pipeline_output(p, last, NULL), ==, peeks[i].all);
    }
}

/* One that ends without a word may have failed: that is told, not that there was nothing. */
static void test_peek_at_failure(void) {
    _cleanup_(pipeline_freep) Pipeline *p = new_pipeline();
    char head[8];
    size_t size = 0;

    (void)add(p, "exec >&-; sleep 0.1; echo why >&2; exit 3", STAGE_NO_INPUT, STAGE_TO_NEXT);
    g_assert_cmpint(pipeline_peek(p, head, sizeof(head), &size), ==, -EIO);
    g_assert_nonnull(strstr(pipeline_error(p), "failed with status 3: why"));
}

static void test_limits(void) {
    _cleanup_(pipeline_freep) Pipeline *p = pipeline_new(now_usec(CLOCK_BOOTTIME) + 100000);
    const Stage missing = {.name = "it", .argv = (const char *const[]){"/no/such", NULL}};
    _cleanup_(pipeline_freep) Pipeline *q = new_pipeline();

    (void)add(p, "exec sleep infinity", STAGE_NO_INPUT, STAGE_OUTPUT_KEPT);
    g_assert_cmpint(pipeline_run(p), ==, -EIO);
    g_assert_nonnull(strstr(pipeline_error(p), "time limit"));
    g_assert_cmpint(pipeline_add(q, &missing), ==, 0);
    g_assert_cmpint(pipeline_run(q), ==, -EIO);
    g_assert_nonnull(strstr(pipeline_error(q), "No such file or directory"));
}

/* A status that is tolerated; descriptors are 3 and so on, in any order they had before. */
static void test_details(void) {
    _cleanup_(pipeline_freep) Pipeline *p = new_pipeline();
    _cleanup_close_ int null = open("/dev/null", O_RDONLY | O_CLOEXEC),
                        zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    const Stage stage = {.name = "it",
                         .argv =
                             (const char *const[]){"bash", "-c",
                                                   "readlink /proc/self/fd/3 /proc/self/fd/4; pwd; "
                                                   "exit 1",
                                                   NULL},
                         .directory = "/usr",
                         .fds = {zero, null},
                         .n_fds = 2,
                         .status_max = 1};

    g_assert_cmpint(pipeline_add(p, &stage), ==, 0);
    g_assert_cmpint(pipeline_run(p), ==, 0);
    g_assert_cmpstr(pipeline_output(p, 0, NULL), ==, "/dev/zero\n/dev/null\n/usr\n");
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    g_test_add_func("/backup/pipeline/well", test_all_well);
    g_test_add_func("/backup/pipeline/failures", test_failures);
    g_test_add_func("/backup/pipeline/check", test_check);
    g_test_add_func("/backup/pipeline/sinks", test_sinks_fail_alone);
    g_test_add_func("/backup/pipeline/all-sinks", test_all_sinks_fail);
    g_test_add_func("/backup/pipeline/peek", test_peek);
    g_test_add_func("/backup/pipeline/peek-failure", test_peek_at_failure);
    g_test_add_func("/backup/pipeline/limits", test_limits);
    g_test_add_func("/backup/pipeline/details", test_details);
    return g_test_run();
}
