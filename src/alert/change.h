/* SPDX-License-Identifier: Apache-2.0 */
/* Thresholds that were crossed, as alerts that are told together: one commit, however many they
 * are. */
#pragma once

#include "alert/alerts.h"
#include "alert/rule.h"

typedef struct AlertChangeEntry AlertChangeEntry;

typedef struct AlertChanges {
    AlertChangeEntry *entries;
    size_t n, allocated;
} AlertChanges;

/* What is borrowed must outlive the list: rule names, and `state`, which has the new state already.
 * `before` comes back into it if it cannot be told. */

/* `value` may be NAN: the kernel tells that it is so, not how much. `names`: which ones, or "". */
int alert_changes_raise(AlertChanges *c, const AlertRule *rule, const char *row, double value,
                        const char *names, AlertWatchState *state, AlertWatchState before);
/* `rule` may be NULL: there is none of that name any more. `state` may be NULL. */
int alert_changes_clear(AlertChanges *c, const AlertRule *rule, const char *name, const char *row,
                        const char *why, AlertWatchState *state, AlertWatchState before);
/* With a fact of the same commit; the list is empty then, whatever the result is. */
int alert_changes_tell(AlertChanges *c, Alerts *alerts, const char *key, const char *value);
void alert_changes_done(AlertChanges *c);
