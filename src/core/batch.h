/* SPDX-License-Identifier: Apache-2.0 */
/* Group commit: changes of one wake-up in one transaction, and what follows from them
 * after its commit. */
#pragma once

#include "core/request.h"

typedef struct BatchEntry {
    Request *request;
    RequestState from;
    RequestEvent event;
    unsigned actions;
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

/* Makes the transition. What needs no store, and comes after nothing that does, is performed at
 * once. */
void batch_add(Batch *b, Request *q, RequestEvent event, const RequestTransition *t);
/* Ends the transaction now, if there is one. */
void batch_commit(Batch *b);
