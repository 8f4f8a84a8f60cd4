/* SPDX-License-Identifier: Apache-2.0 */
/* The destination of the content: standard output, up to SCRIPT_SIZE_MAX. */
#pragma once

#include "basic/bounds.h"
#include "basic/macro.h"

typedef struct Sink {
    int fd;
    size_t size;
    int error; /* the first one, a negative errno; -EFBIG: too large */
} Sink;

int sink_write(Sink *s, const void *data, size_t size);
/* The error as a text that follows the source's name. */
const char *sink_strerror(const Sink *s);
