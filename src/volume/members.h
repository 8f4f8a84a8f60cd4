/* SPDX-License-Identifier: Apache-2.0 */
/* The devices of a request: which blocks they are, and which of them are not attached. Each
 * function returns 0, 1 (refused) or a negative errno. */
#pragma once

#include "volume/planner.h"

/* Finds `members`, and `absent`: the names that the request may do without, because they are disks
 * of an array that is there already, which may run without them. */
int members_find(Planner *p);

/* That nothing is to be made of fewer disks than the request names: what the record says of the
 * array counts (`earlier`), or nothing is made. */
int members_check(Planner *p);

/* Fills the plan's `disks`: the identity of each device, in the order of the request. */
int members_list(Planner *p);

/* The block that a record calls so; *ret is NULL if it is not attached. */
int members_find_identity(const Facts *f, const char *identity, const Block **ret);

/* Whether a plan's or a record's disks have this one. */
bool members_have(const Plan *plan, const char *identity) _pure_;

/* "; not attached: NAME, NAME", or "". The caller frees. */
int members_describe_absent(const Planner *p, char **ret);
