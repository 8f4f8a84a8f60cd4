/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that nobody knows yet. */
#pragma once

#include "dcm-manager/manager-peers.h"

int door_set_up(Manager *m);
void door_take(Manager *m, int fd);
/* There is one less, or one has gone on: those that wait may come in. */
void door_update(Manager *m);
/* Before the peer is accepted as that agent; NULL: it is to be registered. -EDQUOT: there is no
 * room for it. One that an operator needs has room as long as one is connected that nobody needs;
 * others, as long as another address has more connected agents. */
int door_make_room(const Peer *p, const LedgerAgent *known);
