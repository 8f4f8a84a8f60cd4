/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of jobs whose reply is stored while the executor still keeps their output. Errors as in
 * store/store.h. */
#pragma once

#include "store/store.h"

/* Call it in the transaction that stores the reply. Does nothing if the row exists. `bytes`: on
 * disk. */
int store_add_output(Store *s, const char *guid, uint64_t bytes);
/* Call it when the output is deleted, or will be deleted with its request. */
int store_remove_output(Store *s, const char *guid);
/* The sum of all rows in bytes. */
int store_sum_outputs(Store *s, uint64_t *ret);

/* Visits rows, oldest first, at most `limit` after the first `skip`, with the running time since
 * their replies were stored. A positive result of the callback ends the visit, a negative one is
 * also returned. */
typedef int (*StoreOutputVisitor)(const char *guid, uint64_t bytes, uint64_t age_usec,
                                  void *userdata);
int store_visit_outputs(Store *s, unsigned limit, unsigned skip, StoreOutputVisitor visit,
                        void *userdata);

/* `on_output` is called for each added row, within the transaction. */
void store_set_on_output(Store *s, void (*on_output)(void *userdata), void *userdata);
