/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-agentctl top: drawing. */
#pragma once

#include "dcm-agentctl/top-line.h"
#include "dcm-agentctl/top-list.h"

/* Draws everything from the first line on. `l`: is scrolled to its selected row. */
void top_draw(const TopModel *m, TopList *l, const TopScreen *s);
/* The last line of a terminal: the message if there is one, else the keys. Ends without a line end.
 */
void top_draw_footer(const char *message, const TopScreen *s);
