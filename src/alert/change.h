/* SPDX-License-Identifier: Apache-2.0 */
/* A list of crossed thresholds, which become alerts in one commit. */
#pragma once

#include "alert/alerts.h"
#include "alert/rule.h"

typedef struct AlertChangeEntry AlertChangeEntry;

typedef struct AlertChanges {
    AlertChangeEntry *entries;
    size_t n, allocated;
} AlertChanges;

/* The list borrows rule names and `state`, which must outlive it. `state` has the new state
 * already; if the commit fails, `before` is restored to it. */

/* `value` may be NAN: a kernel trigger reports no value. `names`: the things counted by the value,
 * or "". */
int alert_changes_raise(AlertChanges *c, const AlertRule *rule, const char *row, double value,
                        const char *names, AlertWatchState *state, AlertWatchState before);
/* `rule` may be NULL if it does not exist any more. `state` may be NULL. */
int alert_changes_clear(AlertChanges *c, const AlertRule *rule, const char *name, const char *row,
                        const char *why, AlertWatchState *state, AlertWatchState before);
/* Stores the alerts together with a fact. Empties the list, whatever the result. */
int alert_changes_tell(AlertChanges *c, Alerts *alerts, const char *key, const char *value);
void alert_changes_done(AlertChanges *c);
