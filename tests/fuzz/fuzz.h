/* SPDX-License-Identifier: Apache-2.0 */
/* What libFuzzer, or replay.c, calls for each input. */
#pragma once

#include "basic/macro.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* assert() that is there in every build */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

/* The input with a NUL behind it; the caller frees. */
static inline char *fuzz_text(const uint8_t *data, size_t size) {
    char *text = malloc(size + 1);

    CHECK(text);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = 0;
    return text;
}
