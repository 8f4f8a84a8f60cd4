/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "basic/macro.h"

typedef struct Question {
    const char *metadata_url; /* scheme, host, port; NULL: where the cloud has it */
    const char *root;         /* files are looked for below it; "" as a rule */
    uint64_t deadline_usec;   /* CLOCK_BOOTTIME */
} Question;
