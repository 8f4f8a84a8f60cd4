/* SPDX-License-Identifier: Apache-2.0 */
/* Tables and their migrations, used by store.c alone. */
#pragma once

#include <sqlite3.h>
#include <stdint.h>

/* sum of CLOCK_BOOTTIME over all boots, in microseconds */
#define STORE_META_RUNNING "running_usec"

/* Configures the connection, migrates the tables to the current version, and reads the sum of
 * running time. Returns an SQLite code, or -EPROTONOSUPPORT if a newer version made the
 * database. */
int schema_prepare(sqlite3 *db, uint64_t *ret_running_usec);
