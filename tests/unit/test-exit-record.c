/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that a record is read as it was written, that each part of one reads as absent, and that
 * nothing else is believed, whatever a job writes there. */
#include <glib.h>

#include "basic/bounds.h"
#include "basic/exit-record.h"

static ExitRecord sample(void) {
    ExitRecord r = {.kind = EXIT_KIND_EXITED,
                    .status = 3,
                    .reason = EXIT_REASON_TIMEOUT,
                    .left_behind = 12,
                    .started_usec = 1700000000000000,
                    .ended_usec = UINT64_MAX,
                    .out = {.total_bytes = JOB_OUTPUT_DEFAULT + 5,
                            .head_bytes = JOB_OUTPUT_DEFAULT / 2,
                            .tail_bytes = JOB_OUTPUT_DEFAULT / 2,
                            .tail_offset = JOB_OUTPUT_DEFAULT / 2 + 5},
                    .err = {.total_bytes = 10, .head_bytes = 7}};

    sha256_hex("x", 1, r.out.sha256);
    sha256_hex("", 0, r.err.sha256);
    return r;
}

static char *render(const ExitRecord *r) {
    char *text = NULL;

    g_assert_cmpint(exit_record_render(r, &text), ==, 0);
    g_assert_cmpuint(strlen(text), <=, EXIT_RECORD_MAX);
    return text;
}

static int parse(const char *text) {
    ExitRecord r;

    return exit_record_parse(text, strlen(text), &r);
}

static void test_round_trip(void) {
    static const struct {
        ExitKind kind;
        int status;
    } ends[] = {{EXIT_KIND_EXITED, 0},       {EXIT_KIND_EXITED, 255},
                {EXIT_KIND_KILLED, 1},       {EXIT_KIND_KILLED, 64},
                {EXIT_KIND_START_FAILED, 2}, {EXIT_KIND_START_FAILED, 4095}};

    for (size_t i = 0; i < ELEMENTSOF(ends); i++) {
        ExitRecord r = sample(), back;
        _cleanup_free_ char *text = NULL;

        r.kind = ends[i].kind;
        r.status = ends[i].status;
        text = render(&r);
        g_assert_cmpint(exit_record_parse(text, strlen(text), &back), ==, 0);
        g_assert_cmpuint(back.output_max, ==, JOB_OUTPUT_DEFAULT);
        g_assert_cmpint(back.kind, ==, r.kind);
        g_assert_cmpint(back.status, ==, r.status);
        g_assert_cmpint(back.reason, ==, r.reason);
        g_assert_cmpuint(back.left_behind, ==, r.left_behind);
        g_assert_cmpuint(back.started_usec, ==, r.started_usec);
        g_assert_cmpuint(back.ended_usec, ==, r.ended_usec);
        g_assert_cmpmem(&back.out, sizeof(back.out), &r.out, sizeof(r.out));
        g_assert_cmpmem(&back.err, sizeof(back.err), &r.err, sizeof(r.err));
    }
}

/* The size of what is kept is said at the beginning, in the claim too, unless it is the default. */
static void test_output_max(void) {
    static const uint64_t sizes[] = {JOB_OUTPUT_MIN, JOB_OUTPUT_DEFAULT + 2, JOB_OUTPUT_MAX};
    static const uint64_t wrong[] = {1, JOB_OUTPUT_MIN - 1, JOB_OUTPUT_MAX + 1};
    char claim[EXIT_RECORD_CLAIM_SIZE];
    ExitRecord r = sample(), back;

    for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
        _cleanup_free_ char *text = NULL;

        r.output_max = sizes[i];
        r.out = (OutputSummary){.total_bytes = UINT64_MAX, .head_bytes = sizes[i] / 2};
        sha256_hex("x", 1, r.out.sha256);
        text = render(&r);
        exit_record_claim(&(const ExitRecord){.output_max = sizes[i]}, claim);
        g_assert_true(g_str_has_prefix(text, claim));
        g_assert_cmpuint(exit_record_get_output_max(claim, strlen(claim)), ==, sizes[i]);
        g_assert_cmpint(exit_record_parse(text, strlen(text), &back), ==, 0);
        g_assert_cmpuint(back.output_max, ==, sizes[i]);
        g_assert_cmpuint(back.out.head_bytes, ==, sizes[i] / 2);
        free(TAKE_PTR(text));
        r.out.head_bytes++;
        text = render(&r);
        g_assert_cmpint(parse(text), ==, -EBADMSG);
    }
    exit_record_claim(&(const ExitRecord){.output_max = JOB_OUTPUT_DEFAULT}, claim);
    g_assert_cmpstr(claim, ==, EXIT_RECORD_CLAIM);
    for (size_t i = 0; i < ELEMENTSOF(wrong); i++) {
        _cleanup_free_ char *text = NULL;

        r = sample();
        r.output_max = wrong[i];
        text = render(&r);
        g_assert_cmpint(parse(text), ==, -EBADMSG);
    }
}

/* In the claim, and in the record whatever its size is; a job that does not reboot has none. */
static void test_boot_id(void) {
    static const uint64_t sizes[] = {JOB_OUTPUT_DEFAULT, JOB_OUTPUT_MAX};
    char claim[EXIT_RECORD_CLAIM_SIZE], boot_id[BOOT_ID_SIZE];
    ExitRecord r = sample(), back;

    exit_record_get_boot_id(EXIT_RECORD_CLAIM, strlen(EXIT_RECORD_CLAIM), boot_id);
    g_assert_cmpstr(boot_id, ==, "");
    g_assert_cmpint(boot_id_read(r.boot_id), ==, 0);
    for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
        _cleanup_free_ char *text = NULL;

        r.output_max = sizes[i];
        r.out = (OutputSummary){};
        sha256_hex("", 0, r.out.sha256);
        exit_record_claim(&r, claim);
        exit_record_get_boot_id(claim, strlen(claim), boot_id);
        g_assert_cmpstr(boot_id, ==, r.boot_id);
        text = render(&r);
        g_assert_true(g_str_has_prefix(text, claim));
        g_assert_cmpint(exit_record_parse(text, strlen(text), &back), ==, 0);
        g_assert_cmpstr(back.boot_id, ==, r.boot_id);
        g_assert_cmpuint(back.output_max, ==, sizes[i]);
    }
    r.boot_id[3] = 'x';
    exit_record_claim(&r, claim);
    exit_record_get_boot_id(claim, strlen(claim), boot_id);
    g_assert_cmpstr(boot_id, ==, "");
}

static void test_partial(void) {
    ExitRecord r = sample(), back;
    _cleanup_free_ char *text = render(&r);

    for (size_t size = 0; size < strlen(text); size++)
        g_assert_cmpint(exit_record_parse(text, size, &back), ==, -ENODATA);
}

/* One replacement in a good record, which makes it a bad one. */
static void test_garbage(void) {
    static const struct {
        const char *from, *to;
    } changes[] = {
        {"DCM_EXIT_RECORD=1", "DCM_EXIT_RECORD=2"},
        {"KIND=exited", "OUTPUT_MAX=1048576\nKIND=exited"}, /* the default has no line */
        {"KIND=exited", "OUTPUT_MAX=x\nKIND=exited"},
        {"KIND=exited", "KIND=excited"},
        {"KIND=exited", "KIND="},
        {"REASON=timeout", "REASON=boredom"},
        {"LEFT_BEHIND=12", "LEFT_BEHIND=-1"},
        {"STATUS=3", "STATUS=256"},
        {"STATUS=3", "STATUS=-1"},
        {"STATUS=3", "STATUS=+3"},
        {"STATUS=3", "STATUS= 3"},
        {"STATUS=3", "STATUS=03"},
        {"STATUS=3", "STATUS=3x"},
        {"STATUS=3", "STATUS="},
        {"STATUS=3\n", ""},
        {"STATUS=3\n", "STATUS=3\nSTATUS=3\n"},
        {"KIND=exited\nSTATUS=3", "KIND=killed\nSTATUS=0"},
        {"KIND=exited\nSTATUS=3", "KIND=killed\nSTATUS=65"},
        {"KIND=exited\nSTATUS=3", "KIND=start-failed\nSTATUS=0"},
        {"KIND=exited\nSTATUS=3", "KIND=start-failed\nSTATUS=4096"},
        {"ENDED_USEC=18446744073709551615", "ENDED_USEC=18446744073709551616"},
        {"ENDED_USEC=18446744073709551615", "ENDED_USEC=99999999999999999999999999"},
        {"STDERR_TOTAL=10", "STDERR_TOTAL=6"},
        {"STDERR_HEAD=7", "STDERR_HEAD=18446744073709551615"},
        {"STDERR_TAIL=0", "STDERR_TAIL=1"},
        {"STDERR_TAIL_OFFSET=0", "STDERR_TAIL_OFFSET=1"},
        {"STDOUT_TAIL=524288", "STDOUT_TAIL=524289"},
        {"STDOUT_TAIL_OFFSET=524293", "STDOUT_TAIL_OFFSET=524294"},
        {"STDOUT_TAIL_OFFSET=524293", "STDOUT_TAIL_OFFSET=524287"},
        {"STDOUT_TAIL_OFFSET=524293", "STDOUT_TAIL_OFFSET=18446744073709551615"},
        {"STDOUT_SHA256=2", "STDOUT_SHA256=g"},
        {"STDOUT_SHA256=2", "STDOUT_SHA256=22"},
        {"STDOUT_SHA256=2", "STDOUT_SHA256="},
        {"END=1", "MORE=1\nEND=1"},
        {"END=1", "END=1\nEND=1"},
    };
    ExitRecord r = sample();
    _cleanup_free_ char *text = render(&r);

    for (size_t i = 0; i < ELEMENTSOF(changes); i++) {
        g_auto(GStrv) parts = g_strsplit(text, changes[i].from, 2);
        g_autofree char *changed = g_strjoinv(changes[i].to, parts);

        g_assert_nonnull(parts[1]);
        if (parse(changed) != -EBADMSG)
            g_error("accepted: %s for %s", changes[i].to, changes[i].from);
    }
}

static void test_hostile(void) {
    g_autofree char *large = g_strnfill(EXIT_RECORD_MAX + 1, 'x');
    ExitRecord r;

    g_assert_cmpint(parse("END=1\n"), ==, -EBADMSG);
    g_assert_cmpint(parse("x=y\nEND=1\n"), ==, -EBADMSG);
    g_assert_cmpint(parse("END=1"), ==, -ENODATA);
    g_assert_cmpint(parse(large), ==, -EBADMSG);
    g_assert_cmpint(exit_record_parse("\0\0END=1\n", 8, &r), ==, -EBADMSG);
    g_assert_cmpint(exit_record_parse("DCM_EXIT_RECORD=1\n\0END=1\n", 25, &r), ==, -EBADMSG);
    g_assert_cmpint(exit_record_parse("", 0, &r), ==, -ENODATA);
}

/* Every single byte of a record changed: never a crash, and never a number out of its bounds. */
static void test_mutations(void) {
    ExitRecord r = sample(), back;
    _cleanup_free_ char *text = render(&r);
    size_t size = strlen(text);

    for (size_t i = 0; i < size; i++)
        for (int c = 0; c < 256; c += 3) {
            char saved = text[i];

            text[i] = (char)c;
            if (exit_record_parse(text, size, &back) >= 0) {
                g_assert_cmpuint(back.out.head_bytes, <=, JOB_OUTPUT_DEFAULT / 2);
                g_assert_cmpuint(back.out.tail_bytes, <=, JOB_OUTPUT_DEFAULT / 2);
                g_assert_cmpuint(back.out.tail_offset, <=, back.out.total_bytes);
            }
            text[i] = saved;
        }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/exit-record/round-trip", test_round_trip);
    g_test_add_func("/exit-record/output-max", test_output_max);
    g_test_add_func("/exit-record/boot-id", test_boot_id);
    g_test_add_func("/exit-record/partial", test_partial);
    g_test_add_func("/exit-record/garbage", test_garbage);
    g_test_add_func("/exit-record/hostile", test_hostile);
    g_test_add_func("/exit-record/mutations", test_mutations);
    return g_test_run();
}
