/* SPDX-License-Identifier: Apache-2.0 */
/* Proves what the command line takes, before and after the verb, and what it refuses. */
#include <glib.h>
#include <unistd.h>

#include "dcm-manager/limits.h"
#include "dcm-manager/options.h"

#define PARSE(ret, ...) parse((const char *[]){"dcm-manager", __VA_ARGS__, NULL}, ret)

static int parse(const char *const *words, Options *ret) {
    g_auto(GStrv) copy = g_strdupv((char **)words); /* getopt_long(3) reorders it */
    g_autofree char **argv = g_memdup2(copy, (g_strv_length(copy) + 1) * sizeof(*argv));

    /* what the result points to must outlive it */
    for (char **p = argv; *p; p++)
        *p = (char *)g_intern_string(*p);
    return command_line_parse((int)g_strv_length(copy), argv, NULL, ret);
}

static void test_defaults(void) {
    Options o = {};

    g_assert_cmpint(PARSE(&o, "agents"), ==, 1);
    g_assert_cmpint(o.verb, ==, VERB_AGENTS);
    g_assert_cmpstr(o.control, ==, CONTROL_DEFAULT);
    g_assert_cmpuint(o.output.lines, ==, LINES_PRESET);
    g_assert_cmpint(PARSE(&o, "serve"), ==, 1);
    g_assert_cmpfloat(o.ping_sec, ==, 30);
    g_assert_cmpfloat(o.retransmit_sec, ==, 5);
    g_assert_cmpfloat(o.handshake_sec, ==, 60);
}

static void test_run(void) {
    Options o = {};

    g_assert_cmpint(PARSE(&o, "--control", "/x", "run", "web1", "--arg", "a=b", "run_script",
                          "--wait", "--arg", "c:=1", "--timeout", "1.5", "--arguments", "-"),
                    ==, 1);
    g_assert_cmpint(o.verb, ==, VERB_RUN);
    g_assert_cmpstr(o.control, ==, "/x");
    g_assert_cmpstr(o.operands[0], ==, "web1");
    g_assert_cmpstr(o.operands[1], ==, "run_script");
    g_assert_cmpuint(o.n_arguments, ==, 2);
    g_assert_cmpstr(o.arguments[1], ==, "c:=1");
    g_assert_cmpstr(o.arguments_file, ==, "-");
    g_assert_true(o.wait);
    g_assert_false(o.output.json);
    g_assert_cmpfloat(o.timeout_sec, ==, 1.5);
    g_assert_cmpint(PARSE(&o, "log", "-n", "5", "--follow"), ==, 1);
    g_assert_cmpuint(o.output.lines, ==, 5);
    g_assert_cmpint(PARSE(&o, "-n", "5", "-a", "requests"), ==, 1); /* also before the verb */
    g_assert_cmpuint(o.output.lines, ==, 0);
}

static void check_run(int n_targets, const char *command, const char *argument, const Options *o) {
    g_assert_cmpuint(o->n_targets, ==, n_targets);
    g_assert_cmpstr(o->command, ==, command);
    g_assert_cmpuint(o->n_arguments, ==, argument ? 1 : 0);
    if (argument)
        g_assert_cmpstr(o->arguments[0], ==, argument);
}

/* Where the targets end and the command begins. */
static void test_targets(void) {
    Options o = {};

    g_assert_cmpint(PARSE(&o, "run", "a", "b", "c"), ==, 1);
    check_run(2, "c", NULL, &o);
    g_assert_cmpint(PARSE(&o, "run", "a", "--wait", "b", "--", "c", "d=1"), ==, 1);
    check_run(2, "c", "d=1", &o);
    g_assert_true(o.wait);
    g_assert_cmpint(PARSE(&o, "run", "--", "a", "c"), ==, 1);
    check_run(1, "c", NULL, &o);
    g_assert_cmpint(PARSE(&o, "--", "run", "a", "c"), ==, 1);
    check_run(1, "c", NULL, &o);
    g_assert_cmpint(PARSE(&o, "run", "a", "--", "--c"), ==, 1);
    check_run(1, "--c", NULL, &o);
    g_assert_cmpint(PARSE(&o, "run", "--all", "c"), ==, 1);
    check_run(0, "c", NULL, &o);
    g_assert_cmpint(PARSE(&o, "run", "-a", "--", "c", "d=1"), ==, 1);
    check_run(0, "c", "d=1", &o);
    g_assert_cmpint(PARSE(&o, "run", "a", "c", "--arg", "--"), ==, 1);
    check_run(1, "c", "--", &o);
    g_assert_cmpint(PARSE(&o, "run", "--all", "a", "c"), ==, -EINVAL);
    g_assert_cmpint(PARSE(&o, "run", "--all", "a", "--", "c"), ==, -EINVAL);
    g_assert_cmpint(PARSE(&o, "run", "a", "--"), ==, -EINVAL);
    g_assert_cmpint(PARSE(&o, "run"), ==, -EINVAL);
}

/* Complaints go to standard error, where TAP does not mind them. */
static void test_wrong(void) {
    Options o;

    g_assert_cmpint(PARSE(&o, "--wait"), ==, -EINVAL);
    g_assert_cmpint(PARSE(&o, "dance"), ==, -EINVAL);
    g_assert_cmpint(PARSE(&o, "run", "a"), ==, -EINVAL);
    g_assert_cmpint(PARSE(&o, "agents", "x"), ==, -EINVAL);
    g_assert_cmpint(PARSE(&o, "agents", "--arg", "a=b"), ==, -EINVAL);
    g_assert_cmpint(PARSE(&o, "serve", "--ping-sec", "0"), ==, -EINVAL);
    g_assert_cmpint(PARSE(&o, "serve", "--ping-sec", "nan"), ==, -EINVAL);
    g_assert_cmpint(PARSE(&o, "serve", "--ping-sec", "1e99"), ==, -EINVAL);
    g_assert_cmpint(PARSE(&o, "log", "-n", "-1"), ==, -EINVAL);
    g_assert_cmpint(PARSE(&o, "run", "a", "b", "--follow"), ==, -EINVAL);
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/manager/options/defaults", test_defaults);
    g_test_add_func("/manager/options/run", test_run);
    g_test_add_func("/manager/options/targets", test_targets);
    g_test_add_func("/manager/options/wrong", test_wrong);
    return g_test_run();
}
