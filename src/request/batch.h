/* SPDX-License-Identifier: Apache-2.0 */
/* Group commit: changes of one wake-up in one transaction, and what follows from them after its
 * commit. A change that promises nothing waits for one that does, at most BATCH_LAZY_USEC. */
#pragma once

#include "basic/bounds.h"
#include "request/request.h"

#define BATCH_LAZY_USEC (100 * USEC_PER_MSEC)

typedef struct BatchEntry {
    Request *request;
    RequestState from, next;
    RequestEvent event;
    unsigned actions;
    bool inserted; /* the row is new */
} BatchEntry;

typedef struct BatchCallbacks {
    /* what the transition asks for, except the store */
    void (*perform)(const BatchEntry *e, void *userdata);
    /* the change could not be stored; the request is in its former state again */
    void (*undo)(const BatchEntry *e, int error, void *userdata);
} BatchCallbacks;

typedef struct Batch Batch;

int batch_new(sd_event *event, Store *store, const BatchCallbacks *callbacks, void *userdata,
              Batch **ret);
Batch *batch_free(Batch *b);

/* Makes the transition. What needs no store is performed at once, unless the same request has a
 * change that waits for its commit. Negative: it could not be stored and was undone; the request
 * may be gone. */
int batch_add(Batch *b, Request *q, RequestEvent event, const RequestTransition *t);
/* Something that belongs to the transaction cannot be stored: all of it is undone. */
void batch_fail(Batch *b, int error);
/* Ends the transaction now, if there is one: 0, or why it failed. */
int batch_commit(Batch *b);
