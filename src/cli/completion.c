/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/completion.h"

#include <stdio.h>

#include "basic/i18n.h"
#include "basic/standard-streams.h"

static const Option *find_option(const VerbTable *t, const char *word) {
    const bool is_long = strncmp(word, "--", 2) == 0;

    for (size_t i = 0; i < t->n_options; i++)
        if (is_long ? streq(t->options[i].name, word + 2)
                    : t->options[i].letter && word[1] == t->options[i].letter && !word[2])
            return &t->options[i];
    return NULL;
}

/* The option whose argument the word behind is; NULL: none. */
static const Option *find_open(const VerbTable *t, const char *word) {
    const Option *o = word[0] == '-' && word[1] ? find_option(t, word) : NULL;

    return o && o->argument ? o : NULL;
}

static bool begins(const char *text, const char *word) {
    return strncmp(text, word, strlen(word)) == 0;
}

static void put(const char *name, const char *suffix, const char *help) {
    (void)printf("%s%s\t%s\n", name, suffix, help);
}

static void put_options(const VerbTable *t, size_t verb, const char *word) {
    for (size_t i = 0; i < t->n_options; i++) {
        const Option *o = &t->options[i];
        char name[64];

        (void)snprintf(name, sizeof(name), "--%s", o->name);
        if ((verb == t->n_verbs || o->verbs == 0 || o->verbs & 1u << verb) && begins(name, word))
            put(name, o->argument ? "=" : "", _(o->help));
    }
}

static void put_verbs(const VerbTable *t, const char *word) {
    for (size_t i = 0; i < t->n_verbs; i++)
        if (begins(t->verbs[i].name, word))
            put(t->verbs[i].name, "", _(t->verbs[i].help));
}

static void put_argument(const Option *o) {
    if (streq(o->argument, "FILE") || streq(o->argument, "SOCKET"))
        (void)printf("\t\n");
}

/* The verb among the words before the last; n_verbs: there is none yet. */
static size_t find_verb(const VerbTable *t, int n, char *const words[], int *ret_n_operands) {
    size_t verb = t->n_verbs;

    *ret_n_operands = 0;
    for (int i = 0; i + 1 < n; i++) {
        if (words[i][0] == '-') {
            i += find_open(t, words[i]) != NULL;
            continue;
        }
        if (verb < t->n_verbs) {
            (*ret_n_operands)++;
            continue;
        }
        for (verb = 0; verb < t->n_verbs && !streq(t->verbs[verb].name, words[i]); verb++)
            ;
    }
    return verb;
}

void completion_print(const VerbTable *t, int n, char *const words[],
                      void (*complete)(size_t verb, int operand)) {
    const char *word = n > 0 ? words[n - 1] : "";
    const Option *open = n > 1 ? find_open(t, words[n - 2]) : NULL;
    int n_operands;
    size_t verb = find_verb(t, n, words, &n_operands);

    if (open)
        put_argument(open);
    else if (*word == '-')
        put_options(t, verb, word);
    else if (verb == t->n_verbs)
        put_verbs(t, word);
    else if (complete && n_operands < t->verbs[verb].n_max)
        complete(verb, n_operands);
}

bool completion_wanted(const VerbTable *t, int argc, char *argv[],
                       void (*complete)(size_t verb, int operand)) {
    if (argc < 2 || !streq(argv[1], "--complete"))
        return false;
    standard_streams_fill();
    completion_print(t, argc - 2, argv + 2, complete);
    return true;
}
