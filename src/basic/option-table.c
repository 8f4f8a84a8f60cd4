/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/option-table.h"

#include <getopt.h>
#include <stdio.h>

#include "basic/i18n.h"
#include "basic/terminal.h"

#define OPTIONS_MAX 64
#define LEFT_SIZE 64
#define LEFT_COLUMNS 26 /* a longer one gets its own line */

#define ID_FIRST 256 /* above all letters */

int option_take_text(const char *value, void *ret_member) {
    *(const char **)ret_member = value;
    return 0;
}

int option_set_flag(const char *unused, void *ret_member) {
    *(bool *)ret_member = true;
    return 0;
}

static void print_option(const Option *o, bool has_letters) {
    const char *indent = has_letters && !o->letter ? "   " : "";
    char left[LEFT_SIZE], letter[] = {'-', o->letter, ' ', 0};
    int width;

    (void)snprintf(left, sizeof(left), "%s%s--%s%s%s", indent, o->letter ? letter : "", o->name,
                   o->argument ? "=" : "", o->argument ? _(o->argument) : "");
    width = terminal_width(stdout, left);
    (void)printf("  %s%s%*s %s", left, width > LEFT_COLUMNS ? "\n  " : "",
                 width > LEFT_COLUMNS ? LEFT_COLUMNS : LEFT_COLUMNS - width, "", _(o->help));
    if (o->preset)
        (void)printf(" (%s)", o->preset);
    (void)putchar('\n');
}

static bool is_for(const Option *o, unsigned verb) {
    return o->verbs == 0 || (o->verbs & verb) != 0;
}

void options_print(const Option *options, size_t n, unsigned verb) {
    bool has_letters = false;

    for (size_t i = 0; i < n; i++)
        has_letters |= options[i].letter && is_for(&options[i], verb);
    for (size_t i = 0; i < n; i++)
        if (is_for(&options[i], verb))
            print_option(&options[i], has_letters);
}

static void print_help(const OptionTable *t) {
    (void)printf("%s [OPTION...]%s%s\n\n%s\n\n", t->program, t->operands ? " " : "",
                 strempty(t->operands), _(t->about));
    options_print(t->options, t->n_options, 0);
    if (t->notes)
        (void)printf("\n%s\n", _(t->notes));
}

static const Option *find(const Option *options, size_t n, unsigned verb, int id) {
    if (id >= ID_FIRST)
        return &options[id - ID_FIRST];
    for (size_t i = 0; i < n; i++)
        if (options[i].letter == id && is_for(&options[i], verb))
            return &options[i];
    return NULL;
}

static void prepare(const Option *options, size_t n, unsigned verb, struct option *longs,
                    char *shorts) {
    size_t n_longs = 0;

    for (size_t i = 0; i < n; i++) {
        const Option *o = &options[i];

        if (!is_for(o, verb))
            continue;
        longs[n_longs++] = (struct option){o->name, o->argument ? required_argument : no_argument,
                                           NULL, ID_FIRST + (int)i};
        if (o->letter)
            *shorts++ = o->letter;
        if (o->letter && o->argument)
            *shorts++ = ':';
    }
    *shorts = 0;
}

static int run_getopt(const Option *options, size_t n, unsigned verb, bool permutes, int argc,
                      char *argv[], void *ret_members, const Option **ret_asked) {
    struct option longs[OPTIONS_MAX + 1] = {};
    char shorts[2 * OPTIONS_MAX + 2] = "+";
    int id;

    assert(n <= OPTIONS_MAX);
    prepare(options, n, verb, longs, shorts + 1);
    while ((id = getopt_long(argc, argv, permutes ? shorts + 1 : shorts, longs, NULL)) >= 0) {
        const Option *o = find(options, n, verb, id);

        if (!o) /* getopt_long() has reported it */
            return -EINVAL;
        if (!o->parse) {
            *ret_asked = o;
            return 0;
        }
        TRY(o->parse(optarg, (char *)ret_members + o->offset));
    }
    return 1;
}

int options_take(const Option *options, size_t n, unsigned verb, int argc, char *argv[],
                 void *ret_members, const Option **ret_asked) {
    return run_getopt(options, n, verb, verb != 0, argc, argv, ret_members, ret_asked);
}

int option_table_parse(const OptionTable *t, int argc, char *argv[], void *ret_members) {
    const Option *asked = NULL;
    int r;

    r = run_getopt(t->options, t->n_options, 0, true, argc, argv, ret_members, &asked);
    if (r < 0 || (r > 0 && optind < argc && !t->operands)) {
        (void)fprintf(stderr, _("Try %s --help\n"), t->program);
        return -EINVAL;
    }
    if (r == 0 && streq(asked->name, "version"))
        (void)printf("%s %s\n", t->program, PROJECT_VERSION);
    else if (r == 0)
        print_help(t);
    return r;
}
