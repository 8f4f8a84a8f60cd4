/* SPDX-License-Identifier: Apache-2.0 */
/* rpm does not wait until the files of a package are on the disk, but its database and dnf's
 * history are there at once. So a mark stays from before a change until all of it is on the disk:
 * if the system has been booted since, files may be empty of which both say that they are there. */
#pragma once

#include "basic/macro.h"

/* Negative errno: there is no mark, so that nothing must be changed. */
int dnf_mark_set(void);
/* Has what packages write to on the disks, and removes the mark. If it stays, which is logged,
 * there is one repair more after the next boot. */
void dnf_mark_clear(void);
/* A repair needs several changes, and dnf's history says of the last one alone. So the packages
 * that are to be installed again stay beside the mark until it is removed. Negative errno: they are
 * not kept. */
int dnf_mark_keep(const char *const *packages);
/* Those that were kept; NULL: there are none. The caller frees with strv_free(). */
int dnf_mark_read_kept(char ***ret);
/* Whether an earlier boot has left one. */
bool dnf_mark_is_of_earlier_boot(void);
