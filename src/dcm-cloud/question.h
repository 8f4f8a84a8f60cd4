/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "basic/macro.h"

typedef struct Question {
    const char *metadata_url; /* scheme, host, port; NULL: the cloud's own address */
    const char *root;         /* prefix of file names; usually "" */
    uint64_t deadline_usec;   /* CLOCK_BOOTTIME */
} Question;
