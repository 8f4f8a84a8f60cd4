/* SPDX-License-Identifier: Apache-2.0 */
/* Agents whose token nobody knows yet: who is let in, who waits, who is refused. */
#pragma once

#include "dcm-manager/ledger-enrolment.h"
#include "dcm-manager/manager-peers.h"

/* *ret_why NULL: the agent may be registered, and if ret_token->id is set, by that token. Otherwise
 * why it is refused now; it may be on the list of those that wait. `claims_id`: it says that it is
 * an agent whose token is another one, so that it is not let in merely for asking. */
int enrolment_judge(Peer *p, bool claims_id, LedgerEnrolment *ret_token, const char **ret_why);
/* Registers the agent under a new id, and uses the token (NULL: none) in the same group of the
 * ledger. */
int enrolment_register(Manager *m, const Offer *o, const LedgerEnrolment *token, LedgerAgent *ret);
