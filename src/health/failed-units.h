/* SPDX-License-Identifier: Apache-2.0 */
/* The failed units of systemd, queried asynchronously over the bus. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/macro.h"

typedef struct FailedUnits FailedUnits;

/* `on_answer` is called after each successful query. */
int failed_units_new(void (*on_answer)(void *userdata), void *userdata, FailedUnits **ret);
FailedUnits *failed_units_free(FailedUnits *u);
DEFINE_CLEANUP(FailedUnits *, failed_units_free)

void failed_units_set_bus(FailedUnits *u, sd_bus *bus);
/* Sends a query, unless one is pending. -ENOTCONN: no bus. */
int failed_units_ask(FailedUnits *u);

/* Returns the number of failed units in the last answer, and the names of the first
 * HEALTH_FAILED_UNITS_MAX. -1: no answer yet, or the last query failed. */
int failed_units_get(const FailedUnits *u, char *const **ret_names, size_t *ret_n_names);
