/* SPDX-License-Identifier: Apache-2.0 */
/* Admission of connections that are not identified yet. */
#pragma once

#include "dcm-manager/manager-peers.h"

int door_set_up(Manager *m);
void door_take(Manager *m, int fd);
/* Call it when a connection has closed or advanced: waiting ones may advance. */
void door_update(Manager *m);
/* Makes room before the peer is accepted as that agent (NULL: to be registered). -EDQUOT: no room.
 * An agent in use by an operator has room as long as an unused one is connected; others have room
 * as long as another address has more connected agents. */
int door_make_room(const Peer *p, const LedgerAgent *known);
