/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of jobs whose output is kept by the executor though their replies are stored. Errors as
 * in store/store.h. */
#pragma once

#include "store/store.h"

/* In the transaction that stores the reply. Nothing if it has a row already. `bytes`: on the disk.
 */
int store_add_output(Store *s, const char *guid, uint64_t bytes);
/* It is gone, or goes with its request. */
int store_remove_output(Store *s, const char *guid);
/* All bytes. */
int store_sum_outputs(Store *s, uint64_t *ret);

/* The oldest first, at most `limit` after the first `skip`, with the running time since their
 * replies were stored. A positive result of the callback ends it, a negative one is returned. */
typedef int (*StoreOutputVisitor)(const char *guid, uint64_t bytes, uint64_t age_usec,
                                  void *userdata);
int store_visit_outputs(Store *s, unsigned limit, unsigned skip, StoreOutputVisitor visit,
                        void *userdata);

/* Called when a row was added, from inside of the transaction. */
void store_set_on_output(Store *s, void (*on_output)(void *userdata), void *userdata);
