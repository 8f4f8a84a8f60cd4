/* SPDX-License-Identifier: Apache-2.0 */
/* Authentication of connections. */
#pragma once

#include "dcm-manager/manager-peers.h"

/* Accepts or refuses the agent, or probes an older connection first. Takes ownership of the
 * offer. */
void peer_take_offer(Peer *p, const Offer *offer);
