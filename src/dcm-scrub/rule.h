/* SPDX-License-Identifier: Apache-2.0 */
/* What must not be in an image: one table of places. */
#pragma once

#include "basic/macro.h"

typedef enum Part {
    PART_TOKEN = 1 << 0,
    PART_AGENT = 1 << 1,
    PART_HOST_KEYS = 1 << 2,
    PART_SSH_KEYS = 1 << 3,
    PART_AUTHORIZED_KEYS = 1 << 4,
    PART_HISTORIES = 1 << 5,
    PART_MACHINE_ID = 1 << 6,
    PART_RANDOM_SEED = 1 << 7,
    PART_JOURNAL = 1 << 8,
    PART_LOGS = 1 << 9,
    PART_LEASES = 1 << 10,
    PART_CLOUD_INIT = 1 << 11,
    PART_PROVISIONED = 1 << 12, /* always: the marker of Azure's agent */
    PART_CONFIGURATION = 1 << 13,
} Part;

#define PARTS_OF_AN_IMAGE (PART_CONFIGURATION - 1)

typedef struct Rule {
    Part part;
    bool is_key;     /* only if it begins as a private key does */
    bool is_emptied; /* instead of being removed */
    bool is_stopped; /* only while the agent does not run */
    /* Below the root. A part may be a pattern of fnmatch(3); `**` stands for any number of
     * directories; `~` for the home of each user. A directory goes with all that is in it. */
    const char *place;
    const char *what;
} Rule;

extern const Rule rules[];
extern const size_t n_rules;
