/* SPDX-License-Identifier: Apache-2.0 */
/* What the command clean_image leaves for dcm-agent-seal@.service: the order to remove what the
 * agent is known by, once nobody needs it any more. */
#pragma once

#include "dcm-scrub/beneath.h"

/* One at a time: the next one finds no order any more. The caller closes *ret_fd. 0: there is no
 * place for orders. */
int seal_lock(const Beneath *b, int *ret_fd);
/* 1: there is an order, and it is time for it: `when` is "now", since the agent has ended; or
 * "boot", since it has not started yet, and the order is of another boot, of this machine or of the
 * one that this is a copy of. */
int seal_is_due(const Beneath *b, const char *when);
int seal_remove_order(const Beneath *b);
