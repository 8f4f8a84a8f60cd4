/* SPDX-License-Identifier: Apache-2.0 */
/* What is done about a damaged database: it is kept, and what can be read is carried over. */
#pragma once

#include "store/store.h"

/* SQLite's quick_check: reads all of it. -EUCLEAN: damaged. */
int store_check(Store *s);

/* Gives a database another name, with its journal, so that nothing is deleted. The caller frees
 * *ret_name. */
int store_set_aside(const char *path, char **ret_name);

/* Copies the rows that can be read from a damaged database, which is not changed and not open, into
 * an empty one. The number of requests copied; a negative errno when `to` cannot be written. */
int store_salvage(Store *to, const char *damaged);
