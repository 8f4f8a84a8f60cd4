/* SPDX-License-Identifier: Apache-2.0 */
/* Lists for the control socket. */
#pragma once

#include "dcm-manager/ledger-database.h"

/* An array with an object for each row; `write` adds its keys. */
int ledger_list_rows(sqlite3_stmt *q, int (*write)(sqlite3_stmt *q, struct json_object *o),
                     struct json_object **ret);
/* At most n rows of a statement that takes a time, an id and n, and begins behind the row of these
 * two. *ret_next: NULL, or what selects the next ones as `after` (NULL: the first ones). -EINVAL:
 * it does not. */
int ledger_list_parts(Ledger *s, Statement statement, const char *time_key,
                      int (*write)(sqlite3_stmt *q, struct json_object *o),
                      struct json_object *after, unsigned n, struct json_object **ret,
                      struct json_object **ret_next);
