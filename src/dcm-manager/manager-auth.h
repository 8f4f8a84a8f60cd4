/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a connection is the agent's that it says it is. */
#pragma once

#include "dcm-manager/manager-peers.h"

/* Accepts, refuses, or probes an older connection first. Takes the offer over. */
void peer_take_offer(Peer *p, const Offer *offer);
