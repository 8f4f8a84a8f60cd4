/* SPDX-License-Identifier: Apache-2.0 */
/* Whom an operator means. Errors as in dcm-manager/ledger.h. */
#pragma once

#include "dcm-manager/ledger.h"

typedef enum TargetKind {
    TARGET_ALL,
    TARGET_PATTERN,   /* value: a shell pattern of names; an agent without one has its id there */
    TARGET_GROUP,     /* value: the group */
    TARGET_PLATFORM,  /* value: as the agent says it */
    TARGET_CONNECTED, /* as far as the database knows */
    _TARGET_KIND_MAX,
} TargetKind;

/* Looks at the next n agents at most, and makes an array of those that are meant: none that is
 * revoked. *ret_next: NULL, or the `after` of the next ones (NULL: the first ones). */
int ledger_list_targets(Ledger *s, TargetKind kind, const char *value, const char *after,
                        unsigned n, struct json_object **ret, char **ret_next);
/* `group` NULL removes it from its group. */
int ledger_group_agent(Ledger *s, const char *id, const char *group);
