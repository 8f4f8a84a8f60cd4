/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of a program with verbs: one table defines verbs, options and help. Options may
 * stand before and after the verb; one that the verb does not have is refused. */
#pragma once

#include "basic/option-table.h"

typedef struct Verb {
    const char *name;
    const char *operands; /* in help: "GUID", "[NAME]"; "": none */
    int n_min, n_max;
    const char *help;    /* N_(): one line */
    const char *example; /* a command line, without the program's name */
    bool is_program;     /* a program of its own, which parses what follows the verb */
} Verb;

typedef struct VerbTable {
    const char *program;
    const char *about; /* N_() */
    const Verb *verbs; /* the first one is bit 0 of Option.verbs */
    size_t n_verbs;
    const Option *options;
    size_t n_options;
    int preset;        /* the verb where none is given; -1: one must be */
    const char *notes; /* N_(): exit statuses, and what else belongs at the end of help */
} VerbTable;

/* Fills standard streams that are closed, and parses. 1: *ret_verb, and its operands begin at
 * argv[optind]; 0: done (--help, --version); -EINVAL: wrong use, -EIO: help cannot be written,
 * which the function has reported: the program ends with options_exit_status(). A verb that is a
 * program of its own gets all options, those before it too: the function moves it to argv[1]. */
int verb_table_parse(const VerbTable *t, int argc, char *argv[], void *ret_members,
                     size_t *ret_verb);
