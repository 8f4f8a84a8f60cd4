/* SPDX-License-Identifier: Apache-2.0 */
/* The token is the proof, the id only a name. The first one wins: whoever offers a token first owns
 * it.
 *
 *  token    offered id                         then
 *  unknown  null, or nobody's                  NEW (also after the manager lost its database)
 *  unknown  an agent's, 409 sent for it        NEW: a copy that made a new token as requested
 *  unknown  an agent's                         UNAUTHORIZED
 *  known    another agent's                    UNAUTHORIZED, unless the owner registered with it
 *  known    null, the owner's, or nobody's     by the instance:
 *             both cloud instance ids known and different               STALE
 *             the owner is not connected                                KNOWN
 *             its connection was taken over several times in a minute:
 *             copies that replace each other, or bad luck               PROBE
 *             the same instance id, a common address, or nothing to
 *             compare: replaces the older, half-open connection         KNOWN
 *             no common address that distinguishes machines: a copy,
 *             or moved while the older connection hangs                 PROBE */
#include "dcm-manager/auth.h"

static AuthVerdict authenticate_unknown(const AuthFacts *f) {
    return !f->id_exists || f->id_may_renew ? AUTH_NEW : AUTH_UNAUTHORIZED;
}

/* -1: cannot be compared */
static int same_instance(const char *a, const char *b) {
    return a && b ? streq(a, b) : -1;
}

AuthVerdict authenticate(const AuthFacts *f) {
    const Offer *o = f->offer;
    int same;

    if (!f->owner_id)
        return authenticate_unknown(f);
    /* after a lost answer a new agent returns with the id that it offered first */
    if (o->agent_id && f->id_exists && !streq(o->agent_id, f->owner_id) &&
        !streq_ptr(o->agent_id, f->owner_claimed))
        return AUTH_UNAUTHORIZED;
    same = same_instance(o->vm_instance, f->owner_instance);
    if (same == 0)
        return AUTH_STALE;
    if (!f->connected)
        return AUTH_KNOWN;
    if (f->is_contested)
        return AUTH_PROBE;
    if (same > 0)
        return AUTH_KNOWN;
    return offer_compare_addresses(o, f->connected) == ADDRESSES_DISJOINT ? AUTH_PROBE : AUTH_KNOWN;
}
