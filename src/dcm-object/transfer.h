/* SPDX-License-Identifier: Apache-2.0 */
/* put and get: what makes them whole or not at all. */
#pragma once

#include "dcm-object/progress.h"
#include "dcm-object/store.h"

typedef struct Transfer {
    Store *store;
    const char *name;   /* of the object */
    const char *file;   /* "-": standard input or output */
    const char *sha256; /* what it must have; may be NULL */
    uint64_t size;      /* put: of standard input; SIZE_UNKNOWN */
    int confirm_fd;     /* put: at the end of standard input a byte must come from there; -1 */
    bool create_bucket;
    bool no_read_back;
    Progress progress;
    /* results */
    DigestResult digest;
    bool bucket_created;
    bool is_verified; /* put: read back, and equal */
    unsigned resumed; /* get: how often it went on where it had been cut off */
} Transfer;

/* -EIO with the failure. */
int transfer_put(Transfer *t, Failure *f);
int transfer_get(Transfer *t, Failure *f);
