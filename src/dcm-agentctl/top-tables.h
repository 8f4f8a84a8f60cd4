/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-agentctl top: the tables of jobs, file systems, disks and interfaces. */
#pragma once

#include "dcm-agentctl/top-line.h"
#include "dcm-agentctl/top-list.h"

/* In the lines that the screen has left; each table says how many of its rows have no room, and a
 * last line which tables have none. `l`: is scrolled to its selected row. */
void top_draw_tables(Painter *p, const TopModel *m, TopList *l);
/* The tables of the machine with all rows, as text of lines of at most `columns`. The caller frees
 * it. NULL: no memory. */
char *top_make_machine(const TopModel *m, int columns);
