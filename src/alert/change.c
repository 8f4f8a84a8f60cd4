/* SPDX-License-Identifier: Apache-2.0 */
#include "alert/change.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "basic/array.h"
#include "basic/bounds.h"
#include "basic/log-fields.h"
#include "basic/log.h"
#include "basic/time-util.h"

#define VALUE_SIZE 32

struct AlertChangeEntry {
    AlertWatchState *state, before;
    const char *name;
    int level, number;
    bool is_raised;
    char *subject, *message;
};

static void entry_done(AlertChangeEntry *e) {
    free(e->subject);
    free(e->message);
}

void alert_changes_done(AlertChanges *c) {
    for (size_t i = 0; i < c->n; i++)
        entry_done(&c->entries[i]);
    free(c->entries);
    *c = (AlertChanges){};
}

static int add(AlertChanges *c, AlertChangeEntry *e) {
    int r = array_reserve(&c->entries, &c->allocated, c->n + 1, SIZE_MAX);

    if (r < 0)
        return r;
    c->entries[c->n++] = *e;
    *e = (AlertChangeEntry){};
    return 0;
}

static int print(char **ret, const char *format, ...) _printf_(2, 3);
static int print(char **ret, const char *format, ...) {
    va_list ap;
    int r;

    va_start(ap, format);
    r = vasprintf(ret, format, ap);
    va_end(ap);
    if (r < 0)
        *ret = NULL;
    return r < 0 ? -ENOMEM : 0;
}

/* "/var: use is 93.1 %, above 90.0 %", "failed is 1, above 0: example.service" */
static int describe(const AlertRule *rule, const char *row, double value, const char *names,
                    char **ret) {
    const char *side = rule->above ? "above" : "below", *colon = *row ? ": " : "";
    char now[VALUE_SIZE], threshold[VALUE_SIZE];

    alert_rule_format(rule, rule->threshold, threshold, sizeof(threshold));
    alert_rule_format(rule, value, now, sizeof(now));
    if (isnan(value))
        return print(ret, "%s%s%s is %s %s", row, colon, rule->field->key, side, threshold);
    return print(ret, "%s%s%s is %s, %s %s%s%s", row, colon, rule->field->key, now, side, threshold,
                 *names ? ": " : "", names);
}

int alert_changes_raise(AlertChanges *c, const AlertRule *rule, const char *row, double value,
                        const char *names, AlertWatchState *state, AlertWatchState before) {
    _cleanup_(entry_done) AlertChangeEntry e = {.state = state,
                                                .before = before,
                                                .name = rule->name,
                                                .level = rule->level,
                                                .number = rule->number,
                                                .is_raised = true};

    TRY(describe(rule, row, value, names, &e.message));
    TRY(print(&e.subject, "%s: %s", rule->name, rule->message ?: e.message));
    return add(c, &e);
}

int alert_changes_clear(AlertChanges *c, const AlertRule *rule, const char *name, const char *row,
                        const char *why, AlertWatchState *state, AlertWatchState before) {
    _cleanup_(entry_done) AlertChangeEntry e = {.state = state,
                                                .before = before,
                                                .name = name,
                                                .level = rule ? rule->level : ALERT_LEVEL_DEFAULT,
                                                .number = rule ? rule->number : 0};

    TRY(print(&e.message, "%s%s%s", row, *row ? ": " : "", why));
    TRY(print(&e.subject, "%s: cleared", name));
    return add(c, &e);
}

static int store(const AlertChanges *c, Alerts *alerts, const char *key, const char *value) {
    _cleanup_free_ Alert *list = calloc(c->n, sizeof(Alert));

    if (!list)
        return -ENOMEM;
    for (size_t i = 0; i < c->n; i++)
        list[i] = (Alert){
            .time_ms = now_usec(CLOCK_REALTIME) / USEC_PER_MSEC,
            .level = c->entries[i].level,
            .rule = c->entries[i].number,
            .subject = c->entries[i].subject,
            .message = c->entries[i].message,
        };
    return alerts_add(alerts, list, c->n, 0, key, value);
}

static void log_entry(const AlertChangeEntry *e) {
    if (e->is_raised)
        (void)log_struct(LOG_WARNING, 0, LOG_FIELDS(LOG_ID(DCM_MESSAGE_ALERT_RAISED)),
                         "Alert %s: %s", e->name, e->message);
    else
        (void)log_struct(LOG_NOTICE, 0, LOG_FIELDS(LOG_ID(DCM_MESSAGE_ALERT_CLEARED)),
                         "Alert %s cleared: %s", e->name, e->message);
}

int alert_changes_tell(AlertChanges *c, Alerts *alerts, const char *key, const char *value) {
    int r = 0;

    if (c->n > 0)
        r = value ? store(c, alerts, key, value) : -ENOMEM;
    for (size_t i = 0; i < c->n; i++)
        if (r >= 0)
            log_entry(&c->entries[i]);
        else if (c->entries[i].state)
            *c->entries[i].state = c->entries[i].before;
    alert_changes_done(c);
    return MIN(r, 0);
}
