/* SPDX-License-Identifier: Apache-2.0 */
/* Where the content goes: standard output, which must not grow beyond SCRIPT_SIZE_MAX. */
#pragma once

#include "basic/bounds.h"
#include "basic/macro.h"

typedef struct Sink {
    int fd;
    size_t size;
    int error; /* the first one, a negative errno; -EFBIG: too much */
} Sink;

int sink_write(Sink *s, const void *data, size_t size);
/* What is wrong with it, behind the source's name. */
const char *sink_strerror(const Sink *s);
