/* SPDX-License-Identifier: Apache-2.0 */
/* Steps that change tables and units of this machine, and mount. Each verifies what it has done;
 * -EIO: w->error says what has failed. Removing what is not there succeeds. */
#pragma once

#include "dcm-volume/work.h"

int key_seal(Work *w, const Step *s);
/* Whether the key that is sealed is the one that came. */
int key_is_sealed(const Work *w);
int key_remove(Work *w, const Step *s);
int key_unseal(Work *w, const Step *s); /* undoes key_seal() */
int crypttab_add(Work *w, const Step *s);
int crypttab_remove(Work *w, const Step *s);
int crypttab_restore(Work *w, const Step *s); /* undoes both */
int directory_make(Work *w, const Step *s);
int directory_remove(Work *w, const Step *s); /* if this run has made it */
int fstab_add(Work *w, const Step *s);
int fstab_remove(Work *w, const Step *s);
int fstab_restore(Work *w, const Step *s); /* undoes both */
int volume_mount(Work *w, const Step *s);
int volume_unmount(Work *w, const Step *s);       /* refuses if a process uses it */
int volume_unmount_again(Work *w, const Step *s); /* undoes volume_mount() */
