/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that options hold before and after the verb, that one which the verb does not have is
 * refused, and how many operands a verb takes. Complaints go to standard error. */
#include <getopt.h>
#include <glib.h>
#include <stdio.h>

#include "cli/completion.h"

typedef struct Members {
    bool all, quick;
    const char *name;
} Members;

enum { VERB_LIST, VERB_SHOW, VERB_OTHER };

static const Verb verbs[] = {
    [VERB_LIST] = {"list", "", .help = "lists"},
    [VERB_SHOW] = {"show", "A [B]", 1, 2, "shows", "show x"},
    [VERB_OTHER] = {"other", "", .help = "a program", .is_program = true},
};

static const Option options[] = {
    {"all", NULL, offsetof(Members, all), option_set_flag, "all", NULL, 'a', 1u << VERB_LIST},
    {"quick", NULL, offsetof(Members, quick), option_set_flag, "quick", NULL, 'q'},
    {"name", "NAME", offsetof(Members, name), option_take_text, "name", NULL, 'n',
     1u << VERB_LIST | 1u << VERB_SHOW},
    OPTION_VERSION,
    OPTION_HELP,
};

static const VerbTable with_preset = {"program", "A program.",        verbs,     ELEMENTSOF(verbs),
                                      options,   ELEMENTSOF(options), VERB_LIST, "Notes."};
static const VerbTable without = {"program", "A program.",        verbs, ELEMENTSOF(verbs),
                                  options,   ELEMENTSOF(options), -1,    NULL};

static int parse(const VerbTable *t, const char *line, Members *ret, size_t *ret_verb, int *ret_n) {
    g_auto(GStrv) words = g_strsplit(line, " ", -1);
    g_autofree char **argv = g_memdup2(words, (g_strv_length(words) + 1) * sizeof(*argv));
    int argc = (int)g_strv_length(words), r;

    for (char **p = argv; *p; p++) /* what the result points to must outlive it */
        *p = (char *)g_intern_string(*p);
    *ret = (Members){};
    r = verb_table_parse(t, argc, argv, ret, ret_verb);
    *ret_n = argc - optind;
    return r;
}

static void test_taken(void) {
    static const struct {
        const char *line;
        size_t verb;
        int n_operands;
        bool all, quick;
    } cases[] = {
        {"program", VERB_LIST, 0, false, false},
        {"program -q", VERB_LIST, 0, false, true},
        {"program list", VERB_LIST, 0, false, false},
        {"program -a list -q", VERB_LIST, 0, true, true},
        {"program show x", VERB_SHOW, 1, false, false},
        {"program -n y show x --quick z", VERB_SHOW, 2, false, true},
        {"program show -- -x", VERB_SHOW, 1, false, false},
        {"program other --own -x y", VERB_OTHER, 3, false, false},
    };
    size_t verb = 99;
    Members m;
    int n;

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        g_test_message("%s", cases[i].line);
        g_assert_cmpint(parse(&with_preset, cases[i].line, &m, &verb, &n), ==, 1);
        g_assert_cmpuint(verb, ==, cases[i].verb);
        g_assert_cmpint(n, ==, cases[i].n_operands);
        g_assert_cmpint(m.all, ==, cases[i].all);
        g_assert_cmpint(m.quick, ==, cases[i].quick);
    }
}

static void test_refused(void) {
    static const char *const lines[] = {
        "program list x",         "program show",    "program show a b c", "program show -a x",
        "program -a show x",      "program nothing", "program --unknown",  "program list --name",
        "program --help nothing", "program -x list",
    };
    size_t verb;
    Members m;
    int n;

    for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
        g_test_message("%s", lines[i]);
        g_assert_cmpint(parse(&with_preset, lines[i], &m, &verb, &n), ==, -EINVAL);
    }
    g_assert_cmpint(parse(&without, "program", &m, &verb, &n), ==, -EINVAL);
    g_assert_cmpint(parse(&without, "program -q", &m, &verb, &n), ==, -EINVAL);
}

static void print_helps(void) {
    size_t verb;
    Members m;
    int n;

    g_assert_cmpint(parse(&with_preset, "program --help", &m, &verb, &n), ==, 0);
    g_assert_cmpint(parse(&with_preset, "program show --help", &m, &verb, &n), ==, 0);
    g_assert_cmpint(parse(&with_preset, "program --help -a list", &m, &verb, &n), ==, 0);
    g_assert_cmpint(parse(&with_preset, "program --version", &m, &verb, &n), ==, 0);
}

static void test_help(void) {
    if (g_test_subprocess()) {
        print_helps();
        return;
    }
    g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
    g_test_trap_assert_passed();
    g_test_trap_assert_stdout("*Usage: program ?OPTION...? ?VERB?*show A ?B?*shows*Notes.*");
    g_test_trap_assert_stdout(
        "*Usage: program show ?OPTION...? A ?B?*--name=NAME*Example:*program show x*");
    g_test_trap_assert_stdout("*Usage: program list ?OPTION...?\n*--all*");
    g_test_trap_assert_stdout("*program " PROJECT_VERSION "\n");
}

static void complete_operand(size_t verb, int operand) {
    (void)printf("operand %zu %d\n", verb, operand);
}

static void print_completion(const char *line) {
    g_auto(GStrv) words = g_strsplit(line, " ", -1);

    (void)printf("<%s>", line);
    completion_print(&with_preset, (int)g_strv_length(words), words, complete_operand);
}

static void test_completion(void) {
    if (g_test_subprocess()) {
        print_completion("sh");
        print_completion("-q sh");
        print_completion("-n sh");
        print_completion("-n x show ");
        print_completion("show a b ");
        print_completion("show --");
        print_completion("show a b c ");
        print_completion("nonsense ");
        return;
    }
    g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
    g_test_trap_assert_passed();
    g_test_trap_assert_stdout(
        "*<sh>show\tshows\n<-q sh>show\tshows\n<-n sh><-n x show >operand 1 0\n"
        "<show a b ><show -->--quick\tquick\n--name=\tname\n--version*--help*"
        "<show a b c ><nonsense >list\tlists\nshow*");
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cli/verb-table/taken", test_taken);
    g_test_add_func("/cli/verb-table/refused", test_refused);
    g_test_add_func("/cli/verb-table/help", test_help);
    g_test_add_func("/cli/verb-table/completion", test_completion);
    return g_test_run();
}
