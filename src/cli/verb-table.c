/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/verb-table.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>

#include "basic/i18n.h"
#include "basic/standard-streams.h"
#include "basic/terminal.h"
#include "basic/utf8.h"

static int complain(const VerbTable *t, const Verb *v, const char *format, ...) _printf_(3, 4);
static int complain(const VerbTable *t, const Verb *v, const char *format, ...) {
    char text[512];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    terminal_printf(stderr, "%s: %s\n", t->program, text);
    (void)fprintf(stderr, _("Try %s%s%s --help\n"), t->program, v ? " " : "", v ? v->name : "");
    return -EINVAL;
}

static void print_help(const VerbTable *t) {
    (void)printf(_("Usage: %s [OPTION...] %s\n\n"), t->program, t->preset >= 0 ? "[VERB]" : "VERB");
    (void)printf("%s\n\n%s\n", _(t->about), _("Verbs:"));
    for (size_t i = 0; i < t->n_verbs; i++) {
        char left[64];

        (void)utf8_format(left, sizeof(left), "%s %s", t->verbs[i].name, t->verbs[i].operands);
        help_print(left, _(t->verbs[i].help));
    }
    (void)printf("\n%s\n", _("Options of all verbs:"));
    options_print(t->options, t->n_options, 0);
    (void)printf(_("\n%s VERB --help lists the options of a verb, with an example.\n"), t->program);
    if (t->notes)
        help_print_text(_(t->notes));
}

static void print_verb_help(const VerbTable *t, size_t verb) {
    const Verb *v = &t->verbs[verb];

    (void)printf(_("Usage: %s %s [OPTION...]%s%s\n\n"), t->program, v->name,
                 *v->operands ? " " : "", v->operands);
    (void)printf("%s\n\n%s\n", _(v->help), _("Options:"));
    options_print(t->options, t->n_options, 1u << verb);
    if (v->example)
        (void)printf("\n%s\n  %s %s\n", _("Example:"), t->program, v->example);
}

static int find_verb(const VerbTable *t, const char *name, size_t *ret) {
    for (size_t i = 0; i < t->n_verbs; i++)
        if (streq(t->verbs[i].name, name)) {
            *ret = i;
            return 0;
        }
    return -ENOENT;
}

static bool is_seen(const VerbTable *t, uint64_t seen, const char *name) {
    for (size_t i = 0; i < t->n_options; i++)
        if (seen & (uint64_t)1 << i && !t->options[i].parse && streq(t->options[i].name, name))
            return true;
    return false;
}

static int check_options(const VerbTable *t, size_t verb, uint64_t seen) {
    for (size_t i = 0; i < t->n_options; i++)
        if (seen & (uint64_t)1 << i && t->options[i].verbs && !(t->options[i].verbs & 1u << verb))
            return complain(t, &t->verbs[verb], _("%s has no option --%s"), t->verbs[verb].name,
                            t->options[i].name);
    return 0;
}

static int check_operands(const VerbTable *t, const Verb *v, int n, char *const operands[]) {
    if (n < v->n_min)
        return complain(t, v, _("%s needs %s"), v->name, v->operands);
    if (n > v->n_max)
        return complain(t, v, _("%s takes no \"%s\""), v->name, operands[v->n_max]);
    return 0;
}

/* A verb that is a program; its name becomes argv[1]. */
static bool find_program(const VerbTable *t, int argc, char *argv[], size_t *ret_verb) {
    int n = options_find_operand(t->options, t->n_options, argc, argv);
    char *name = n < argc ? argv[n] : NULL;

    if (!name || find_verb(t, name, ret_verb) < 0 || !t->verbs[*ret_verb].is_program)
        return false;
    memmove(argv + 2, argv + 1, (size_t)(n - 1) * sizeof(*argv));
    argv[1] = name;
    return true;
}

int verb_table_parse(const VerbTable *t, int argc, char *argv[], void *ret_members,
                     size_t *ret_verb) {
    bool has_verb;
    uint64_t seen;
    size_t verb = 0;

    standard_streams_fill();
    if (find_program(t, argc, argv, ret_verb)) {
        optind = 2;
        return 1;
    }
    if (options_parse(t->options, t->n_options, argc, argv, ret_members, &seen) < 0) {
        (void)fprintf(stderr, _("Try %s --help\n"), t->program);
        return -EINVAL;
    }
    has_verb = optind < argc;
    if (is_seen(t, seen, "version")) {
        (void)printf("%s %s\n", t->program, PROJECT_VERSION);
        return standard_output_flush();
    }
    if (has_verb && find_verb(t, argv[optind], &verb) < 0)
        return complain(t, NULL, _("there is no verb \"%s\""), argv[optind]);
    if (is_seen(t, seen, "help")) {
        if (has_verb)
            print_verb_help(t, verb);
        else
            print_help(t);
        return standard_output_flush();
    }
    if (!has_verb && t->preset < 0)
        return complain(t, NULL, _("a verb is missing"));
    if (has_verb)
        optind++;
    else
        verb = (size_t)t->preset;
    TRY(check_options(t, verb, seen));
    TRY(check_operands(t, &t->verbs[verb], argc - optind, argv + optind));
    *ret_verb = verb;
    return 1;
}
