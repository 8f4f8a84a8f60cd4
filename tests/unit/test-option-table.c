/* SPDX-License-Identifier: Apache-2.0 */
/* Proves what a table of options takes (long and short, twice, between operands), what it refuses,
 * and that what is refused, and what --help does, leaves the program with nothing to do. */
#include <getopt.h>
#include <glib.h>

#include "basic/option-table.h"

typedef struct Members {
    const char *file, *name;
    bool quick;
} Members;

static int refuse(const char *value, void *ret_member) {
    return -EINVAL;
}

static const Option options[] = {
    {"file", "FILE", offsetof(Members, file), option_take_text, "a file", "/dev/null"},
    {"name", "NAME", offsetof(Members, name), option_take_text, "a name", NULL, 'n'},
    {"quick", NULL, offsetof(Members, quick), option_set_flag, "do not wait", NULL, 'q'},
    {"never", "X", 0, refuse, "refused"},
    OPTION_VERSION,
    {"help", .help = "print this help", .letter = 'h'},
};

static const OptionTable with_operands = {"program", "[FILE...]",         "A program.",
                                          options,   ELEMENTSOF(options), "Notes."};
static const OptionTable without = {"program",           NULL, "A program.", options,
                                    ELEMENTSOF(options), NULL};

static int parse(const OptionTable *t, Members *ret, const char *line, int *ret_operands) {
    g_auto(GStrv) words = g_strsplit(line, " ", -1);
    g_autofree char **argv = g_memdup2(words, (g_strv_length(words) + 1) * sizeof(*argv));
    int argc = (int)g_strv_length(words), r;

    for (char **p = argv; *p; p++) /* what the result points to must outlive it */
        *p = (char *)g_intern_string(*p);
    optind = 0;
    *ret = (Members){};
    r = option_table_parse(t, argc, argv, ret);
    *ret_operands = argc - optind;
    return r;
}

static void test_taken(void) {
    Members m;
    int n;

    g_assert_cmpint(parse(&without, &m, "program", &n), ==, 1);
    g_assert_null(m.file);
    g_assert_false(m.quick);
    g_assert_cmpint(parse(&with_operands, &m, "program a --file=x b -qn y --file z c", &n), ==, 1);
    g_assert_cmpstr(m.file, ==, "z");
    g_assert_cmpstr(m.name, ==, "y");
    g_assert_true(m.quick);
    g_assert_cmpint(n, ==, 3);
}

static void test_refused(void) {
    Members m;
    int n;

    g_assert_cmpint(parse(&without, &m, "program x", &n), ==, -EINVAL);
    g_assert_cmpint(parse(&without, &m, "program --unknown", &n), ==, -EINVAL);
    g_assert_cmpint(parse(&without, &m, "program -x", &n), ==, -EINVAL);
    g_assert_cmpint(parse(&without, &m, "program --file", &n), ==, -EINVAL);
    g_assert_cmpint(parse(&without, &m, "program --quick=1", &n), ==, -EINVAL);
    g_assert_cmpint(parse(&without, &m, "program --never=1 --quick", &n), ==, -EINVAL);
    g_assert_false(m.quick);
}

static void print_help(void) {
    Members m;
    int n;

    g_assert_cmpint(parse(&with_operands, &m, "program -h --quick", &n), ==, 0);
    g_assert_false(m.quick);
}

/* In a process of its own, whose standard output is looked at. */
static void test_help(void) {
    if (g_test_subprocess()) {
        print_help();
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_passed();
    g_test_trap_assert_stdout(
        "*Usage: program [OPTION...] [FILE...]\n\nA program.\n\n     --file=FILE             a "
        "file "
        "(/dev/null)\n  -n --name=NAME             a name\n  -q --quick                 do not "
        "wait\n     --never=X               refused\n     --version               print the "
        "version\n  -h --help                  print this help\n\nNotes.\n*");
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/basic/option-table/taken", test_taken);
    g_test_add_func("/basic/option-table/refused", test_refused);
    g_test_add_func("/basic/option-table/help", test_help);
    return g_test_run();
}
