/* SPDX-License-Identifier: Apache-2.0 */
/* All network interfaces in /proc/net/dev, including the loopback one. */
#pragma once

#include "basic/macro.h"

#define INTERFACE_NAME_SIZE 32

typedef struct Interface {
    char name[INTERFACE_NAME_SIZE];
    uint64_t bytes_in, packets_in, errors_in, drops_in;
    uint64_t bytes_out, packets_out, errors_out, drops_out;
} Interface;

typedef struct InterfaceTable {
    Interface *interfaces;
    size_t n, allocated;
} InterfaceTable;

/* Replaces the content of the table; skips invalid lines. */
int interface_table_parse(InterfaceTable *t, const char *text);
void interface_table_done(InterfaceTable *t);
/* Finds the same interface in another reading; NULL: it was absent. `hint`: its index in this
 * one. */
const Interface *interface_table_find(const InterfaceTable *t, const char *name,
                                      size_t hint) _pure_;
