/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the manager's database, and how those of older versions become these. */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>

/* In one transaction; returns SQLite's result. A database of a newer version is left alone. */
int ledger_set_up_schema(sqlite3 *db, bool *ret_newer);
