/* SPDX-License-Identifier: Apache-2.0 */
/* What is there of that which must not be in an image. */
#pragma once

#include "dcm-scrub/beneath.h"
#include "dcm-scrub/rule.h"

typedef struct Item {
    char *path; /* without leading slash */
    const Rule *rule;
    uint64_t size; /* of all files in it */
    size_t n_files;
    bool has_other_names; /* hard links, by which the content stays */
    bool is_directory;
} Item;

typedef struct Plan {
    Item *items;
    size_t n, allocated;
    void *seen; /* paths, a tree of tsearch(3) */
} Plan;

void plan_done(Plan *p);
/* Looks for all parts (bits). A place that is not looked into is told by b->on_skip. */
int plan_make(const Beneath *b, unsigned parts, bool is_running, Plan *ret);
void plan_print(const Plan *p);
