/* SPDX-License-Identifier: Apache-2.0 */
/* The options of a program: one table defines the command line and the text of --help. */
#pragma once

#include "basic/macro.h"

/* Converts `value` (NULL if the option takes no argument) into the option's member. If it returns a
 * negative value, it has logged the error, or written it to standard error. */
typedef int (*OptionParser)(const char *value, void *ret_member);

typedef struct Option {
    const char *name;     /* without the dashes */
    const char *argument; /* its name in help; NULL: the option takes none */
    size_t offset;        /* of the member in the caller's structure */
    OptionParser parse;   /* NULL: the program does nothing else: --help, --version */
    const char *help;     /* N_() */
    const char *preset;   /* default shown in brackets after the help; may be NULL */
    char letter;          /* a short name; 0: none */
    unsigned verbs;       /* bits of the verbs that have the option; 0: all */
} Option;

/* For programs without translated help. */
#define OPTION_VERSION                                                                             \
    { "version", .help = "print the version" }
#define OPTION_HELP                                                                                \
    { "help", .help = "print this help" }

typedef struct OptionTable {
    const char *program;
    const char *operands; /* their name in help; NULL: the program takes none */
    const char *about;    /* N_(), lines without the last newline */
    const Option *options;
    size_t n_options;
    const char *notes; /* N_(), at the end of help; may be NULL */
} OptionTable;

/* Parsers. The text is not copied; the last occurrence of an option counts. */
int option_take_text(const char *value, void *ret_member); /* const char * */
int option_set_flag(const char *unused, void *ret_member); /* bool */

/* Fills standard streams that are closed, and parses. 1: continue, operands begin at argv[optind];
 * 0: done (--help, --version); -EINVAL: invalid usage, -EIO: help cannot be written, which the
 * function has reported: the program ends with options_exit_status(). */
int option_table_parse(const OptionTable *t, int argc, char *argv[], void *ret_members);

/* Of a program that has nothing to do, or may not: 0 done, 1 failed, 2 wrong usage. */
static inline int options_exit_status(int r) {
    return r >= 0 ? EXIT_SUCCESS : r == -EINVAL ? 2 : EXIT_FAILURE;
}

/* For programs with verbs (cli/verb-table.h). All options are parsed, wherever they stand; bit i of
 * *ret_seen says that option i was given. An option without parser is only noted there. -EINVAL. */
int options_parse(const Option *options, size_t n, int argc, char *argv[], void *ret_members,
                  uint64_t *ret_seen);
/* The index in argv of the first operand, whatever the options are worth; argc: there is none. */
int options_find_operand(const Option *options, size_t n, int argc, char *argv[]);
/* Prints one line of help: `left` in its column, and the text behind it; what goes beyond 80
 * columns continues on the next line. */
void help_print(const char *left, const char *text);
/* Prints a text of several paragraphs, a line each, in lines of at most 80 columns. */
void help_print_text(const char *text);
/* Prints the options of a verb (a bit); 0: those of all verbs. */
void options_print(const Option *options, size_t n, unsigned verb);
