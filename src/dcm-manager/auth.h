/* SPDX-License-Identifier: Apache-2.0 */
/* Who an agent is: the rule, without I/O. dcm-manager(8) tells it to administrators. */
#pragma once

#include "dcm-manager/offer.h"

typedef enum AuthVerdict {
    AUTH_KNOWN,        /* 200: the agent that the token belongs to */
    AUTH_NEW,          /* 200: registered under a new id */
    AUTH_PROBE,        /* ask the older connection whether it lives: then STALE, else KNOWN */
    AUTH_UNAUTHORIZED, /* 401 */
    AUTH_STALE,        /* 409: the token was burnt into an image, the agent makes a new one */
    _AUTH_MAX,
} AuthVerdict;

/* Everything but the offer may be NULL. */
typedef struct AuthFacts {
    const Offer *offer;
    const char *owner_id;       /* the agent that the offered token belongs to ... */
    const char *owner_claimed;  /* ... the id it offered when it registered ... */
    const char *owner_instance; /* ... and the instance it was last seen on */
    bool id_exists;             /* there is an agent with the offered id */
    bool id_may_renew;          /* a 409 was told for that agent's token and not followed up yet */
    const Offer *connected;     /* what the owner's present connection offered */
    bool is_contested;          /* that one has taken the place of several in a short time */
} AuthFacts;

AuthVerdict authenticate(const AuthFacts *f);
