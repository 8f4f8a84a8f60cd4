/* SPDX-License-Identifier: Apache-2.0 */
/* Tables and their migrations, for store.c alone. */
#pragma once

#include <sqlite3.h>
#include <stdint.h>

/* CLOCK_BOOTTIME, in microseconds, added up over all boots */
#define STORE_META_RUNNING "running_usec"

/* Sets the connection up, brings the tables to the current version, and reads the running time so
 * far. An SQLite code, or -EPROTONOSUPPORT when a newer version made the database. */
int schema_prepare(sqlite3 *db, uint64_t *ret_running_usec);
