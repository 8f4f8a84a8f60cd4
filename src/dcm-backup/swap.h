/* SPDX-License-Identifier: Apache-2.0 */
/* A directory that is restored is made beside the one in use, and takes its place in one step when
 * it is complete. The former one stays until somebody says that it may go.
 *
 *     web                          in use
 *     .web.dcm-new-INODE           being made; INODE is that of what was in use then (0: nothing)
 *     .web.dcm-former-TIME         kept
 *
 * So it can be told what a run that was killed has left: if what is in the second one has the
 * number INODE, the step was done, and it is the former one. */
#pragma once

#include "dcm-backup/work.h"

typedef struct Swap {
    char *live, *parent, *name; /* `live` is parent/name */
    char *new;                  /* the directory to restore into */
} Swap;

void swap_done(Swap *s);
/* Puts in order what others have left, and makes the new directory. */
int swap_begin(Work *w, const char *live, Swap *ret);
/* `source` is the new directory, or something in it. *ret_former: where the former one is, the
 * caller frees; NULL: there was none. */
int swap_commit(Work *w, Swap *s, const char *source, char **ret_former);
/* Removes what was not committed. */
void swap_abort(Work *w, Swap *s);
/* Removes the former ones; *ret_n: how many. */
int swap_remove_former(Work *w, const char *live, size_t *ret_n);
