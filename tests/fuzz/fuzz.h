/* SPDX-License-Identifier: Apache-2.0 */
/* What libFuzzer, or replay.c, calls for each input. */
#pragma once

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

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

#define FUZZ_PATH_SIZE 64

/* The input as a file without a name, which `path` leads to; the caller closes the descriptor. */
static inline int fuzz_file(const uint8_t *data, size_t size, char path[static FUZZ_PATH_SIZE]) {
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    (void)snprintf(path, FUZZ_PATH_SIZE, "/proc/self/fd/%d", fd);
    return fd;
}
