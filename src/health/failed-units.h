/* SPDX-License-Identifier: Apache-2.0 */
/* Units that systemd calls failed; it is asked over the bus, and nobody waits for the answer. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/macro.h"

typedef struct FailedUnits FailedUnits;

/* `on_answer` comes after each question that was answered. */
int failed_units_new(void (*on_answer)(void *userdata), void *userdata, FailedUnits **ret);
FailedUnits *failed_units_free(FailedUnits *u);
DEFINE_CLEANUP(FailedUnits *, failed_units_free)

void failed_units_set_bus(FailedUnits *u, sd_bus *bus);
/* Asks, unless a question is open. -ENOTCONN: there is no bus. */
int failed_units_ask(FailedUnits *u);

/* Of the last answer: how many there are, and the names of the first HEALTH_FAILED_UNITS_MAX. -1:
 * there was none yet, or the last question failed. */
int failed_units_get(const FailedUnits *u, char *const **ret_names, size_t *ret_n_names);
