/* SPDX-License-Identifier: Apache-2.0 */
/* Shell completion, from the same table as the command line: packaging/ has the scripts, which ask
 * for it by PROGRAM --complete WORD... */
#pragma once

#include "cli/verb-table.h"

/* Prints what the last word may become, a line each, with a tab and a help text where there is one;
 * "\t" alone: a file name. `words` are those behind the program's name. `complete` prints what the
 * operands of a verb may be; NULL: that is not known. */
void completion_print(const VerbTable *t, int n, char *const words[],
                      void (*complete)(size_t verb, int operand));
/* If argv[1] is --complete: prints, and returns true. */
bool completion_wanted(const VerbTable *t, int argc, char *argv[],
                       void (*complete)(size_t verb, int operand));
