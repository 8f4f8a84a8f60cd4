/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the manager's database, and the migrations of older versions. */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>

/* Runs in one transaction; returns SQLite's result. Does not touch a database of a newer
 * version. */
int ledger_set_up_schema(sqlite3 *db, bool *ret_newer);
