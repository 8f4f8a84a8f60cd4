/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/option-table.h"

#include <getopt.h>
#include <stdio.h>

#include "basic/i18n.h"
#include "basic/terminal.h"

#define OPTIONS_MAX 32
#define LEFT_SIZE 64
#define LEFT_COLUMNS 25 /* what is longer has a line of its own */

enum { ID_FIRST = 256, ID_HELP = ID_FIRST + OPTIONS_MAX, ID_VERSION };

static const Option standard[] = {
    {"version", .help = N_("say the version")},
    {"help", .help = N_("this"), .letter = 'h'},
};

int option_take_text(const char *value, void *ret_member) {
    *(const char **)ret_member = value;
    return 0;
}

int option_set_flag(const char *unused, void *ret_member) {
    *(bool *)ret_member = true;
    return 0;
}

static void print_option(const Option *o, bool has_letters) {
    char left[LEFT_SIZE], letter[] = {'-', o->letter, ' ', 0};
    int width;

    (void)snprintf(left, sizeof(left), "%s--%s%s%s",
                   !has_letters ? ""
                   : o->letter  ? letter
                                : "   ",
                   o->name, o->argument ? "=" : "", o->argument ? _(o->argument) : "");
    width = terminal_width(stdout, left);
    (void)printf("  %s%s%*s %s", left, width > LEFT_COLUMNS ? "\n  " : "",
                 width > LEFT_COLUMNS ? LEFT_COLUMNS : LEFT_COLUMNS - width, "", _(o->help));
    if (o->preset)
        (void)printf(" (%s)", o->preset);
    (void)putchar('\n');
}

static bool has_letters(const OptionTable *t) {
    for (size_t i = 0; i < t->n_options; i++)
        if (t->options[i].letter)
            return true;
    return false;
}

static void print_help(const OptionTable *t) {
    bool letters = has_letters(t);

    (void)printf("%s [OPTION...]%s%s\n\n%s\n\n", t->program, t->operands ? " " : "",
                 strempty(t->operands), _(t->about));
    for (size_t i = 0; i < t->n_options; i++)
        print_option(&t->options[i], letters);
    for (size_t i = 0; i < ELEMENTSOF(standard); i++)
        print_option(&standard[i], letters);
    if (t->notes)
        (void)printf("\n%s\n", _(t->notes));
}

static const Option *find(const OptionTable *t, int id) {
    if (id >= ID_FIRST)
        return &t->options[id - ID_FIRST];
    for (size_t i = 0; i < t->n_options; i++)
        if (t->options[i].letter == id)
            return &t->options[i];
    return NULL; /* getopt_long() has complained */
}

/* Where no option has a letter, help has none either. */
static void prepare(const OptionTable *t, struct option *longs, char *shorts) {
    size_t n = 0;

    for (size_t i = 0; i < t->n_options; i++) {
        const Option *o = &t->options[i];

        longs[n++] = (struct option){o->name, o->argument ? required_argument : no_argument, NULL,
                                     ID_FIRST + (int)i};
        if (o->letter)
            *shorts++ = o->letter;
        if (o->letter && o->argument)
            *shorts++ = ':';
    }
    longs[n++] = (struct option){"help", no_argument, NULL, ID_HELP};
    longs[n++] = (struct option){"version", no_argument, NULL, ID_VERSION};
    (void)snprintf(shorts, 2, "%s", has_letters(t) ? "h" : "");
}

static int complain(const OptionTable *t) {
    (void)fprintf(stderr, _("Try %s --help\n"), t->program);
    return -EINVAL;
}

int option_table_parse(const OptionTable *t, int argc, char *argv[], void *ret_members) {
    struct option longs[OPTIONS_MAX + 3] = {};
    char shorts[2 * OPTIONS_MAX + 2];
    int id;

    assert(t->n_options <= OPTIONS_MAX);
    prepare(t, longs, shorts);
    while ((id = getopt_long(argc, argv, shorts, longs, NULL)) >= 0) {
        const Option *o;

        if (id == ID_VERSION)
            (void)printf("%s %s\n", t->program, PROJECT_VERSION);
        if (id == ID_HELP || id == 'h')
            print_help(t);
        if (id == ID_VERSION || id == ID_HELP || id == 'h')
            return 0;
        o = find(t, id);
        if (!o || o->parse(optarg, (char *)ret_members + o->offset) < 0)
            return complain(t);
    }
    return optind < argc && !t->operands ? complain(t) : 1;
}
