/* SPDX-License-Identifier: Apache-2.0 */
/* Group commit: stores the changes of one wake-up in one transaction, and performs their actions
 * after the commit. A change that promises nothing waits for one that does, at most
 * BATCH_LAZY_USEC. */
#pragma once

#include "basic/bounds.h"
#include "request/request.h"

#define BATCH_LAZY_USEC (100 * USEC_PER_MSEC)

typedef struct BatchEntry {
    Request *request;
    RequestState from, next;
    RequestEvent event;
    unsigned actions;
    bool inserted; /* a new row */
} BatchEntry;

typedef struct BatchCallbacks {
    /* performs the actions of the transition, except the store */
    void (*perform)(const BatchEntry *e, void *userdata);
    /* the change could not be stored; the request has its previous state again */
    void (*undo)(const BatchEntry *e, int error, void *userdata);
    /* negative errno: the database cannot be written from now on; 0: it can again */
    void (*on_store)(int error, void *userdata);
} BatchCallbacks;

typedef struct Batch Batch;

int batch_new(sd_event *event, Store *store, const BatchCallbacks *callbacks, void *userdata,
              Batch **ret);
Batch *batch_free(Batch *b);

/* Makes the transition. Performs an action without store at once, unless the same request has a
 * change that waits for its commit. Negative: the change could not be stored and was undone; the
 * request may be freed. */
int batch_add(Batch *b, Request *q, RequestEvent event, const RequestTransition *t);
/* A part of the transaction cannot be stored: undoes all of it. */
void batch_fail(Batch *b, int error);
/* Commits now, if there is a transaction: 0, or the error. */
int batch_commit(Batch *b);
