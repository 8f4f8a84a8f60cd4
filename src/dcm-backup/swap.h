/* SPDX-License-Identifier: Apache-2.0 */
/* A directory that is restored is made beside the one in use, and takes its place in one step when
 * it is complete. The former one stays until somebody says that it may go.
 *
 *     web                          in use
 *     .web.dcm-new-INODE           being made; INODE is that of what was in use then (0: nothing)
 *     .web.dcm-former-TIME         kept
 *
 * So it can be told what a run that was killed has left: if what is in the second one has the
 * number INODE, the step was done, and it is the former one.
 *
 * The parent may belong to a user, who can rename and replace all of these at any moment: they are
 * reached by descriptors, and no link is followed. */
#pragma once

#include "dcm-backup/work.h"

typedef struct Swap {
    char *live, *parent, *name; /* `live` is parent/name */
    int parent_fd;
    char *new_name; /* of the directory to restore into */
    int new_fd;
    int lock_fd; /* no other run has this target */
} Swap;

#define SWAP_EMPTY ((Swap){.parent_fd = -1, .new_fd = -1, .lock_fd = -1})

void swap_done(Swap *s);
/* Puts in order what others have left, and makes the new directory. Fails where the step cannot be
 * done in the end, as far as that is known. */
int swap_begin(Work *w, const char *live, Swap *ret);
/* Gives the new directory owner and mode of the one in use. */
int swap_copy_owner(Work *w, const Swap *s);
/* `source` is a name in the new directory; NULL: the new directory itself. *ret_former: where the
 * former one is, the caller frees; NULL: there was none. */
int swap_commit(Work *w, Swap *s, const char *source, char **ret_former);
/* Removes what was not committed. */
void swap_abort(Work *w, Swap *s);
/* Removes the former ones; *ret_n: how many. */
int swap_remove_former(Work *w, const char *live, size_t *ret_n);
