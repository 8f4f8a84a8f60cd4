/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/option-table.h"

#include <getopt.h>
#include <stdio.h>

#include "basic/i18n.h"
#include "basic/standard-streams.h"
#include "basic/terminal.h"

#define OPTIONS_MAX 64
#define LEFT_SIZE 64
#define LETTERS_SIZE (2 * OPTIONS_MAX + 2)
#define TEXT_SIZE 1024
#define COLUMNS 80
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

void help_print(const char *left, const char *text) {
    int width = terminal_width(stdout, left);

    (void)printf("  %s%s%*s ", left, width > LEFT_COLUMNS ? "\n  " : "",
                 width > LEFT_COLUMNS ? LEFT_COLUMNS : LEFT_COLUMNS - width, "");
    terminal_put_wrapped(stdout, text, COLUMNS, LEFT_COLUMNS + 3);
}

void help_print_text(const char *text) {
    terminal_put_wrapped(stdout, text, COLUMNS, 0);
}

static void print_option(const Option *o, bool has_letters) {
    const char *indent = has_letters && !o->letter ? "   " : "";
    char left[LEFT_SIZE], letter[] = {'-', o->letter, ' ', 0}, text[TEXT_SIZE];

    (void)snprintf(left, sizeof(left), "%s%s--%s%s%s", indent, o->letter ? letter : "", o->name,
                   o->argument ? "=" : "", o->argument ? _(o->argument) : "");
    (void)snprintf(text, sizeof(text), "%s%s%s%s", _(o->help), o->preset ? " (" : "",
                   strempty(o->preset), o->preset ? ")" : "");
    help_print(left, text);
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
    (void)printf(_("Usage: %s [OPTION...]%s%s\n\n"), t->program, t->operands ? " " : "",
                 strempty(t->operands));
    help_print_text(_(t->about));
    (void)putchar('\n');
    options_print(t->options, t->n_options, 0);
    if (t->notes) {
        (void)putchar('\n');
        help_print_text(_(t->notes));
    }
}

static const Option *find(const Option *options, size_t n, int id) {
    if (id >= ID_FIRST)
        return &options[id - ID_FIRST];
    for (size_t i = 0; i < n; i++)
        if (options[i].letter == id)
            return &options[i];
    return NULL;
}

/* `shorts` may have a beginning. */
static void prepare(const Option *options, size_t n, struct option *longs, char *shorts) {
    shorts += strlen(shorts);
    for (size_t i = 0; i < n; i++) {
        const Option *o = &options[i];

        longs[i] = (struct option){o->name, o->argument ? required_argument : no_argument, NULL,
                                   ID_FIRST + (int)i};
        if (o->letter)
            *shorts++ = o->letter;
        if (o->letter && o->argument)
            *shorts++ = ':';
    }
    *shorts = 0;
}

int options_parse(const Option *options, size_t n, int argc, char *argv[], void *ret_members,
                  uint64_t *ret_seen) {
    struct option longs[OPTIONS_MAX + 1] = {};
    char shorts[LETTERS_SIZE] = "";
    bool is_asked = false; /* for help or version: the others don't matter */
    int id;

    assert(n <= OPTIONS_MAX);
    prepare(options, n, longs, shorts);
    *ret_seen = 0;
    optind = 0; /* GNU: begin again */
    while ((id = getopt_long(argc, argv, shorts, longs, NULL)) >= 0) {
        const Option *o = find(options, n, id);

        if (!o) /* getopt_long() has reported it */
            return -EINVAL;
        *ret_seen |= (uint64_t)1 << (o - options);
        is_asked |= !o->parse;
        if (!is_asked)
            TRY(o->parse(optarg, (char *)ret_members + o->offset));
    }
    return 0;
}

int options_find_operand(const Option *options, size_t n, int argc, char *argv[]) {
    struct option longs[OPTIONS_MAX + 1] = {};
    char shorts[LETTERS_SIZE] = "+"; /* GNU: stop at an operand */

    assert(n <= OPTIONS_MAX);
    prepare(options, n, longs, shorts);
    optind = 0;
    opterr = 0;
    while (getopt_long(argc, argv, shorts, longs, NULL) >= 0)
        ;
    opterr = 1;
    return optind;
}

int option_table_parse(const OptionTable *t, int argc, char *argv[], void *ret_members) {
    uint64_t seen;
    int r;

    standard_streams_fill();
    r = options_parse(t->options, t->n_options, argc, argv, ret_members, &seen);
    for (size_t i = 0; r >= 0 && i < t->n_options; i++) {
        if (!(seen & (uint64_t)1 << i) || t->options[i].parse)
            continue;
        if (streq(t->options[i].name, "version"))
            (void)printf("%s %s\n", t->program, PROJECT_VERSION);
        else
            print_help(t);
        return standard_output_flush();
    }
    if (r >= 0 && (optind >= argc || t->operands))
        return 1;
    if (r >= 0)
        terminal_printf(stderr, _("%s takes no \"%s\"\n"), t->program, argv[optind]);
    (void)fprintf(stderr, _("Try %s --help\n"), t->program);
    return -EINVAL;
}
