/* SPDX-License-Identifier: Apache-2.0 */
/* Tells how far a transfer is, in per cent, at most once a second. */
#pragma once

#include "basic/macro.h"

typedef struct Progress {
    bool to_stderr, to_agent;
    uint64_t total; /* bytes of all steps together; 0: unknown, and nothing is told */
    uint64_t done;
    unsigned percent; /* told last */
    uint64_t told_usec;
} Progress;

void progress_add(Progress *p, size_t size);
