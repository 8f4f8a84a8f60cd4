/* SPDX-License-Identifier: Apache-2.0 */
/* The rule that identifies agents, without I/O. dcm-manager(8) explains it to administrators. */
#pragma once

#include "dcm-manager/offer.h"

typedef enum AuthVerdict {
    AUTH_KNOWN,        /* 200: the agent that owns the token */
    AUTH_NEW,          /* 200: registered under a new id */
    AUTH_PROBE,        /* ping the older connection: STALE if it answers, otherwise KNOWN */
    AUTH_UNAUTHORIZED, /* 401 */
    AUTH_STALE,        /* 409: the token is part of an image; the agent must make a new one */
    _AUTH_MAX,
} AuthVerdict;

/* Everything except the offer may be NULL. */
typedef struct AuthFacts {
    const Offer *offer;
    const char *owner_id;       /* the agent that owns the offered token ... */
    const char *owner_claimed;  /* ... the id it offered when it registered ... */
    const char *owner_instance; /* ... and the instance on which it was last seen */
    bool id_exists;             /* an agent with the offered id exists */
    /* a 409 was sent for that agent's token, and no agent with a new token has followed yet */
    bool id_may_renew;
    const Offer *connected; /* the offer of the owner's present connection */
    /* that connection has replaced several others within a short time */
    bool is_contested;
} AuthFacts;

AuthVerdict authenticate(const AuthFacts *f);
