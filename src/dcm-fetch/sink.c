/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-fetch/sink.h"

#include <unistd.h>

#include "basic/fd-util.h"

int sink_write(Sink *s, const void *data, size_t size) {
    if (s->error == 0 && size > SCRIPT_SIZE_MAX - s->size)
        s->error = -EFBIG;
    if (s->error == 0)
        s->error = write_full(s->fd, data, size);
    if (s->error == 0)
        s->size += size;
    return s->error;
}

const char *sink_strerror(const Sink *s) {
    return s->error == -EFBIG ? "is too large: a script may have 16 MiB" : "cannot be kept";
}
