/* SPDX-License-Identifier: Apache-2.0 */
/* Requests, users and ids, from the former agent's database to ours. */
#pragma once

#include "dcm-migrate/former.h"
#include "store/store.h"

/* Takes all in the caller's transaction, and prints what it took and what it could not. What the
 * store has already stays as it is. `administrators`: users whom the former agent let use sudo, as
 * files tell now. 1: all
 * rows were read; 0: the former database is damaged. `former` may be NULL: there is none. */
int requests_take(Former *former, Store *store, char *const administrators[]);
