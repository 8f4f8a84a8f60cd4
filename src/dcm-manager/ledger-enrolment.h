/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of enrolment tokens: secrets that let agents in without an operator's hand. The database
 * has only their SHA-256. Errors as in dcm-manager/ledger.h. */
#pragma once

#include "dcm-manager/ledger.h"

typedef enum EnrolmentFault {
    ENROLMENT_VALID,
    ENROLMENT_UNKNOWN,
    ENROLMENT_REVOKED,
    ENROLMENT_USED_UP,
    ENROLMENT_EXPIRED,
} EnrolmentFault;

typedef struct LedgerEnrolment {
    char *id;
    char *group; /* of agents that come by it; may be NULL */
    char *name;  /* the same */
    EnrolmentFault fault;
} LedgerEnrolment;

void ledger_enrolment_done(LedgerEnrolment *e);

/* `group` and `name` may be NULL. -EEXIST: the id or the secret is taken; -EDQUOT: there are too
 * many that are valid. */
int ledger_add_enrolment(Ledger *s, const char *id, const char *secret_sha256, const char *group,
                         const char *name, int64_t expires, int64_t uses);
/* An unknown secret is a fault, no error. */
int ledger_find_enrolment(Ledger *s, const char *secret_sha256, LedgerEnrolment *ret);
/* -ENOENT: it was used up. */
int ledger_use_enrolment(Ledger *s, const char *id);
/* -ENOENT: there is none of that id. */
int ledger_revoke_enrolment(Ledger *s, const char *id);
/* An array of objects, the oldest first. */
int ledger_list_enrolments(Ledger *s, struct json_object **ret);
