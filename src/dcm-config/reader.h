/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the agent's user may read files, as root sees it. */
#pragma once

#include "dcm-config/findings.h"

typedef struct Reader {
    bool is_known; /* false: we are not root, and can only speak for ourselves */
    const char *user;
    unsigned uid, gid;
} Reader;

/* Finds the user of the service; without one, or without root, nothing is checked later. */
void reader_init(Reader *ret);

/* Adds a finding if the user cannot read the file, or the directory; an absent one is none. A
 * secret must not be made readable for everybody. */
void reader_check(const Reader *r, const char *path, bool is_secret, Findings *findings);
