/* SPDX-License-Identifier: Apache-2.0 */
/* What can be done at a place, by rclone or, for a directory of this machine, without it. All of
 * these return 0, or -EIO with the failure. */
#pragma once

#include "dcm-object/digest.h"
#include "dcm-object/place.h"
#include "dcm-object/run.h"

typedef struct ObjectInfo {
    uint64_t size;
    char modified[40];      /* RFC 3339 */
    char md5[MD5_HEX_SIZE]; /* as the server has it, or "" */
} ObjectInfo;

/* A negative errno ends the list. */
typedef int (*ObjectHandler)(void *userdata, const char *name, const ObjectInfo *info);

typedef struct Store Store;

typedef struct StoreOperations {
    int (*find_bucket)(Store *s, bool *ret_is_there, Failure *f);
    int (*make_bucket)(Store *s, Failure *f);
    int (*head)(Store *s, const char *name, ObjectInfo *ret, Failure *f);
    /* Writes what input_fd has until its end. -ECANCELED: the handler, or reading, failed. */
    int (*write)(Store *s, const char *name, const RunSpec *from, RunResult *ret, Failure *f);
    /* Hands what the object has from `offset` on to on_output; the caller counts. */
    int (*read)(Store *s, const char *name, uint64_t offset, const RunSpec *to, RunResult *ret,
                Failure *f);
    int (*move)(Store *s, const char *from, const char *to, Failure *f);
    int (*list)(Store *s, const char *prefix, ObjectHandler handler, void *userdata, Failure *f);
    int (*remove)(Store *s, const char *name, Failure *f);
    /* Ends uploads in parts that began before that, of objects whose names begin with `prefix`;
     * NULL: there is no such thing. */
    int (*end_uploads)(Store *s, const char *prefix, uint64_t age_usec, Failure *f);
} StoreOperations;

struct Store {
    const StoreOperations *operations;
    const Place *place;
    Session session;
    RcloneConfig config;
    bool writes_in_place; /* a partial object would be seen: write under another name, and move */
};

/* `ret` must stay where it is. */
int store_open(Store *ret, const Place *p, uint64_t deadline_usec, uint64_t patience_usec,
               Failure *f);
void store_done(Store *s);

extern const StoreOperations remote_operations, directory_operations;
