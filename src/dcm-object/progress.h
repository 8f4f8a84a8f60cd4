/* SPDX-License-Identifier: Apache-2.0 */
/* Tells how far a transfer is, in per cent, at most once a second. */
#pragma once

#include "basic/macro.h"

/* What is told at the beginning and at the end: 0 and 100 per cent, or less where it is a part. */
typedef struct ProgressPart {
    unsigned first, last;
} ProgressPart;

#define PROGRESS_ALL ((ProgressPart){0, 100})

typedef struct Progress {
    bool to_stderr, to_agent;
    ProgressPart part;
    uint64_t total; /* bytes of all steps together; 0: unknown, and nothing is told */
    uint64_t done;
    unsigned percent; /* told last */
    uint64_t told_usec;
} Progress;

void progress_add(Progress *p, size_t size);
