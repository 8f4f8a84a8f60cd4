/* SPDX-License-Identifier: Apache-2.0 */
/* Repair of a damaged database: keeps the file, and copies the readable rows to a new one. */
#pragma once

#include "store/store.h"

/* Runs SQLite's quick_check, which reads the whole database. -EUCLEAN: damaged. */
int store_check(Store *s);

/* Renames a database and its journal, so that nothing is deleted. The caller frees *ret_name. */
int store_set_aside(const char *path, char **ret_name);

/* Copies the readable rows of a damaged database, which must not be open and is not changed, into
 * an empty one. Returns the number of copied requests, or a negative errno if `to` cannot be
 * written. */
int store_salvage(Store *to, const char *damaged);
