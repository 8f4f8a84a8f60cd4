/* SPDX-License-Identifier: Apache-2.0 */
/* Agents whose token nobody knows yet: who is let in, who waits, who is refused. */
#pragma once

#include "dcm-manager/ledger-enrolment.h"
#include "dcm-manager/manager-peers.h"

#define NEW_AGENTS_TOO_FAST (-ETOOMANYREFS) /* no call of the ledger fails with it */

/* *ret_why NULL: the agent may be registered, and if ret_token->id is set, by that token. Otherwise
 * why it is refused now; it may be on the list of those that wait. `claims_id`: it says that it is
 * an agent whose token is another one, so that it is not let in merely for asking.
 * NEW_AGENTS_TOO_FAST: it would have to be put on the list. */
int enrolment_judge(Peer *p, bool claims_id, LedgerEnrolment *ret_token, const char **ret_why);
/* Counts a new agent that is about to be stored, whether it waits or comes in; those that are
 * refused do not count, so that they hold up nobody. 0 or NEW_AGENTS_TOO_FAST, as of
 * enrolment_judge(). */
int enrolment_take_pace(Manager *m);
/* Registers the agent under a new id, and uses the token (NULL: none) in the same group of the
 * ledger. */
int enrolment_register(Manager *m, const Offer *o, const LedgerEnrolment *token, LedgerAgent *ret);
