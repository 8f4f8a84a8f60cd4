/* SPDX-License-Identifier: Apache-2.0 */
/* The options of a program: one table is what its command line takes and what its --help prints. */
#pragma once

#include "basic/macro.h"

/* Writes what `value` says (NULL where the option takes no argument) to the option's member.
 * Negative: it has said on standard error, or in the journal, what is wrong. */
typedef int (*OptionParser)(const char *value, void *ret_member);

typedef struct Option {
    const char *name;     /* without the dashes */
    const char *argument; /* as help names it; NULL: it takes none */
    size_t offset;        /* of the member in the caller's structure */
    OptionParser parse;   /* NULL: nothing else is done: --help, --version */
    const char *help;     /* N_() */
    const char *preset;   /* said in brackets behind the help; NULL: nothing */
    char letter;          /* a short name; 0: none */
    unsigned verbs;       /* bits of the verbs that have it; 0: all, and before the verb */
} Option;

/* For programs whose help is not translated. */
#define OPTION_VERSION                                                                             \
    { "version", .help = "print the version" }
#define OPTION_HELP                                                                                \
    { "help", .help = "this" }

typedef struct OptionTable {
    const char *program;
    const char *operands; /* as help names them; NULL: none are taken */
    const char *about;    /* N_(), lines without the last end of line */
    const Option *options;
    size_t n_options;
    const char *notes; /* N_(), at the end of help; NULL: none */
} OptionTable;

/* Parsers. The text is not copied; what is given twice, counts the second time. */
int option_take_text(const char *value, void *ret_member); /* const char * */
int option_set_flag(const char *unused, void *ret_member); /* bool */

/* 1: go on, operands begin at argv[optind]; 0: done (--help, --version); -EINVAL: wrong use, which
 * was explained. */
int option_table_parse(const OptionTable *t, int argc, char *argv[], void *ret_members);

/* For programs with verbs: the options of one of them (a bit), or those before the verb (0), which
 * end at the first operand.
 * 1: go on; 0: *ret_asked was given, which has no parser; -EINVAL. */
int options_take(const Option *options, size_t n, unsigned verb, int argc, char *argv[],
                 void *ret_members, const Option **ret_asked);
void options_print(const Option *options, size_t n, unsigned verb);
