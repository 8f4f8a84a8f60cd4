/* SPDX-License-Identifier: Apache-2.0 */
/* The rescue archive: a tar file with recovery.sh and data.age, which is another tar file of all
 * that is removed, encrypted to the owner's key by age(1). Nothing is written unencrypted. */
#pragma once

#include "dcm-scrub/plan.h"

typedef struct RescueTarget {
    const char *path;   /* must not exist */
    const char *keys;   /* a file of public keys, of age or SSH */
    const char *script; /* recovery.sh */
} RescueTarget;

/* Checks what can be checked before: that the file can be made there, and that age takes the keys.
 * All errors are told on standard error. */
int rescue_check(const RescueTarget *t);
int rescue_write(const RescueTarget *t, const Beneath *b, const Plan *p);
