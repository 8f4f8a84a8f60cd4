/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-volume/signature.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "dcm-volume/look-probe.h"

static const char *next_digit(const char *s) {
    while (*s && !isxdigit((unsigned char)*s))
        s++;
    return s;
}

bool uuid_equal(const char *a, const char *b) {
    if (isempty(a) || isempty(b))
        return false;
    for (;;) {
        a = next_digit(a);
        b = next_digit(b);
        if (!*a || !*b)
            return !*a && !*b;
        if (tolower((unsigned char)*a++) != tolower((unsigned char)*b++))
            return false;
    }
}

static int describe(const Signature *s, char **ret) {
    int n;

    if (!ret)
        return -EEXIST;
    n = asprintf(ret, "%s%s%s%s%s", s->type, s->uuid ? ", UUID " : "", strempty(s->uuid),
                 s->label ? ", label " : "", strempty(s->label));
    return n < 0 ? -ENOMEM : -EEXIST;
}

static int compare(const Block *b, const char *uuid, char **ret_found) {
    for (size_t i = 0; i < b->n_signatures; i++)
        if (!uuid_equal(b->signatures[i].uuid, uuid))
            return describe(&b->signatures[i], ret_found);
    return b->n_signatures > 0;
}

/* A Block is released by facts_done() alone. */
int signature_check(const char *device, const char *uuid, char **ret_found) {
    _cleanup_(facts_done) Facts f = {};
    _cleanup_close_ int fd = -1;

    fd = open(device, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    f.blocks = calloc(1, sizeof(*f.blocks));
    if (!f.blocks)
        return -ENOMEM;
    f.n_blocks = 1;
    TRY(probe_signatures(fd, f.blocks));
    return compare(f.blocks, uuid, ret_found);
}

/* fsync(2) of a block device works with a descriptor for reading; one for writing would make udev
 * look at the device when it is closed. */
int device_flush(const char *device) {
    _cleanup_close_ int fd = open(device, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    return fsync(fd) < 0 ? -errno : 0;
}
