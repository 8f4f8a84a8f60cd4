/* SPDX-License-Identifier: Apache-2.0 */
/* A new directory takes the place of a service's. Whatever kills this process, and whenever, no
 * directory that was in use is lost: each is under one of these names, in the directory of
 * services.
 *
 *     a1                 in use
 *     .install-a1        root's alone, while a request is at work; a killed one leaves it
 *         image          what was fetched
 *         new            the new directory, while it is made
 *         tree           the same, when it is complete; and what was in use, when they have changed
 *                        places
 *         new-INODE      tells these two apart: INODE is the number of the new one
 *         again-INODE    the same, where what is to be replaced is of a killed request
 *         gone           what another one has replaced below; it is removed
 *     .former-a1         what was in use before
 *     .unfinished-a1     what a request had put into use that was killed before it was done, and
 *                        that the next one has replaced: .former-a1 is what was in use before it */
#pragma once

#include "dcm-service/directory.h"

typedef struct Replacement {
    const Services *services;
    const char *id;
    char *name; /* .install-ID */
    char *path, *image, *new;
    int fd;             /* of `path`, -1: it is not there */
    bool is_unfinished; /* what was in use at the beginning is of a request that was killed */
    bool is_in_use;     /* the new directory */
    bool is_finished;
} Replacement;

#define REPLACEMENT_INIT ((Replacement){.fd = -1})

/* Puts in order what a killed request has left, and makes an empty .install-ID. -EBUSY: something
 * is mounted in one of the directories. A negative errno has been logged, here and below. */
int replacement_begin(const Services *s, const char *id, Replacement *ret);

/* Makes the empty directory `new`, which belongs to that user. */
int replacement_make_new(Replacement *r, uid_t uid, gid_t gid);

/* Puts `new` into use. What was in use is kept as .former-ID, or .unfinished-ID. */
int replacement_commit(Replacement *r);

/* All that the request had to do is done: what was in use before the former one is removed. Without
 * this, the next request takes what is in use for unfinished. */
void replacement_finish(Replacement *r);

/* Removes what was made and is not in use, and frees. */
void replacement_done(Replacement *r);
