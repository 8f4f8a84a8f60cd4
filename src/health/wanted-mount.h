/* SPDX-License-Identifier: Apache-2.0 */
/* File systems on devices that fstab(5) wants to be mounted all the time, and that are not: those
 * with noauto only if dcm-volume wrote the line, for a volume that waits for its key. systemd
 * calls such a mount inactive, not failed, if its device did not come. */
#pragma once

#include "basic/macro.h"

typedef struct MissingMounts {
    char **points; /* the first ones; ends with NULL, may be NULL */
    size_t n_points;
    size_t n; /* all of them */
} MissingMounts;

/* From etc/fstab and proc/self/mountinfo below the root. No fstab wants nothing. */
int missing_mounts_read(MissingMounts *m, int root_fd);
void missing_mounts_done(MissingMounts *m);

/* The same from the texts of both files. */
int missing_mounts_parse(MissingMounts *m, const char *fstab, const char *mountinfo);
