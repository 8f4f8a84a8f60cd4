/* SPDX-License-Identifier: Apache-2.0 */
/* Plain text for terminals, in aligned columns. */
#pragma once

#include <stdio.h>

#include "basic/macro.h"

typedef struct Table Table;

/* `titles` is the first row, of `n` columns. */
Table *table_new(size_t n, const char *const *titles);
Table *table_free(Table *t);
DEFINE_CLEANUP(Table *, table_free)

/* Adds a row of n cells, which are copied; NULL prints as "-". */
int table_add(Table *t, const char *const *cells);
void table_print(const Table *t, FILE *f);

/* "2026-11-22 19:35:54" in local time, or "-". */
void format_time(int64_t usec, char *ret, size_t size);
