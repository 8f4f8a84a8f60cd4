/* SPDX-License-Identifier: Apache-2.0 */
#include "alert/watch.h"

#include <stdio.h>

#include "alert/guard.h"
#include "basic/bounds.h"
#include "basic/log.h"
#include "proto/json.h"

#define FACT "alert_rules_raised" /* [["rule", "row"], ...] */
#define STAT_NAME_SIZE 96
#define RETRY_USEC (5 * USEC_PER_SEC)

/* A raised row without a rule, to be cleared. */
typedef struct Leftover {
    char *rule, *row;
} Leftover;

struct AlertWatch {
    GuardHost guard_host;
    Health *health;
    Alerts *alerts;
    AlertRules rules;
    Guard *guards; /* one for each rule */
    Leftover *leftovers;
    size_t n_leftovers;
    sd_event_source *retry; /* while leftovers cannot be cleared */
};

/* alerts */

static int add_raised(struct json_object *array, const char *rule, const char *row) {
    struct json_object *pair = json_object_new_array(), *a, *b;

    a = json_object_new_string(rule);
    b = json_object_new_string(row);
    if (pair && a && b && json_object_array_add(pair, a) >= 0) {
        a = NULL;
        if (json_object_array_add(pair, b) >= 0) {
            b = NULL;
            if (json_object_array_add(array, pair) >= 0)
                return 0;
        }
    }
    (void)json_object_put(a);
    (void)json_object_put(b);
    (void)json_object_put(pair);
    return -ENOMEM;
}

/* Encodes everything that is raised now as the fact. */
static int encode_raised(const AlertWatch *w, bool leftovers, char **ret) {
    _cleanup_json_ struct json_object *array = json_object_new_array();
    int r = array ? 0 : -ENOMEM;

    for (size_t i = 0; i < w->rules.n && r >= 0; i++)
        for (size_t k = 0; k < w->guards[i].n && r >= 0; k++)
            if (w->guards[i].watched[k].state.is_raised)
                r = add_raised(array, w->guards[i].rule->name, w->guards[i].watched[k].row);
    for (size_t i = 0; leftovers && i < w->n_leftovers && r >= 0; i++)
        r = add_raised(array, w->leftovers[i].rule, w->leftovers[i].row);
    return r < 0 ? r : json_encode(array, ret, NULL);
}

/* If the commit fails, the states are restored, and judged again with the next sample. */
static int tell(AlertWatch *w, bool leftovers) {
    _cleanup_free_ char *raised = NULL;

    if (w->guard_host.changes.n > 0)
        (void)encode_raised(w, leftovers, &raised); /* without it nothing is stored */
    return alert_changes_tell(&w->guard_host.changes, w->alerts, FACT, raised);
}

static void on_judged(void *userdata) {
    (void)tell(userdata, true);
}

static void stat_name(const AlertRule *rule, char ret[static STAT_NAME_SIZE]) {
    (void)snprintf(ret, STAT_NAME_SIZE, "alerts:%s:%llu", rule->type->name,
                   (unsigned long long)(rule->interval_usec / USEC_PER_MSEC));
}

void alert_watch_sampled(AlertWatch *w, const Stat *stat, const Series *series) {
    const StatDefinition *d = stat_get_definition(stat);
    char name[STAT_NAME_SIZE];

    if (d->owner != STAT_OWNER_AGENT || strncmp(d->name, "alerts:", strlen("alerts:")) != 0)
        return;
    for (size_t i = 0; i < w->rules.n; i++) {
        if (w->guards[i].trigger)
            continue;
        stat_name(w->rules.rules[i], name);
        if (streq(name, d->name))
            guard_judge_sample(&w->guards[i], series_get_newest(series));
    }
    (void)tell(w, true);
    for (size_t i = 0; i < w->rules.n; i++)
        guard_forget_missing(&w->guards[i]);
}

/* configuration */

static int collect_ours(const Stat *s, void *userdata) {
    const StatDefinition *d = stat_get_definition(s);
    const Stat **found = userdata;

    if (d->owner != STAT_OWNER_AGENT || strncmp(d->name, "alerts:", strlen("alerts:")) != 0)
        return 0;
    *found = s;
    return 1;
}

static void remove_stats(AlertWatch *w) {
    const Stat *found = NULL;

    while (health_visit(w->health, collect_ours, &found) > 0)
        health_remove(w->health,
                      health_find(w->health, STAT_OWNER_AGENT, stat_get_definition(found)->name));
}

/* Several rules may share one definition. */
static int add_stat(AlertWatch *w, const AlertRule *rule) {
    char name[STAT_NAME_SIZE];

    stat_name(rule, name);
    if (health_find(w->health, STAT_OWNER_AGENT, name))
        return 0;
    return health_add(w->health,
                      &(const StatDefinition){
                          .name = name,
                          .type = rule->type,
                          .hold = 1,
                          .interval_usec = rule->interval_usec,
                          .owner = STAT_OWNER_AGENT,
                      },
                      NULL);
}

static int add_guards(AlertWatch *w) {
    int r = 0;

    for (size_t i = 0; i < w->rules.n && r >= 0; i++) {
        Guard *g = &w->guards[i];

        g->host = &w->guard_host;
        g->rule = w->rules.rules[i];
        if (g->rule->stall_usec > 0)
            r = guard_add_trigger(g);
        if (r >= 0 && !g->trigger)
            r = add_stat(w, g->rule);
        g->is_watched = r >= 0;
        if (r < 0 && r != -ENOMEM) {
            (void)log_warning_errno(r, "Alert %s cannot be watched: %m", g->rule->name);
            r = 0;
        }
    }
    return r;
}

static void leftovers_done(AlertWatch *w) {
    for (size_t i = 0; i < w->n_leftovers; i++) {
        free(w->leftovers[i].rule);
        free(w->leftovers[i].row);
    }
    free(w->leftovers);
    w->leftovers = NULL;
    w->n_leftovers = 0;
}

static int add_leftover(AlertWatch *w, const char *rule, const char *row) {
    Leftover *grown = reallocarray(w->leftovers, w->n_leftovers + 1, sizeof(Leftover));
    _cleanup_free_ char *a = strdup(rule), *b = strdup(row);

    if (grown)
        w->leftovers = grown;
    if (!grown || !a || !b)
        return -ENOMEM;
    w->leftovers[w->n_leftovers++] = (Leftover){.rule = TAKE_PTR(a), .row = TAKE_PTR(b)};
    return 0;
}

static void clear_leftovers(AlertWatch *w) {
    int r = 0;

    for (size_t i = 0; i < w->n_leftovers && r >= 0; i++)
        r = alert_changes_clear(&w->guard_host.changes, NULL, w->leftovers[i].rule,
                                w->leftovers[i].row, "there is no rule for it any more", NULL,
                                (AlertWatchState){});
    if (r >= 0)
        r = tell(w, false);
    alert_changes_done(&w->guard_host.changes);
    if (r >= 0)
        leftovers_done(w);
    else if (sd_event_source_set_time_relative(w->retry, RETRY_USEC) >= 0)
        (void)sd_event_source_set_enabled(w->retry, SD_EVENT_ONESHOT);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
    clear_leftovers(userdata);
    return 0;
}

/* Returns the guard that continues it, or NULL. */
static Guard *find_guard(AlertWatch *w, const char *name, const char *row) {
    for (size_t i = 0; i < w->rules.n; i++) {
        Guard *g = &w->guards[i];

        if (streq(g->rule->name, name))
            return g->is_watched && (!g->trigger || streq(g->rule->rows, row)) ? g : NULL;
    }
    return NULL;
}

/* Restores a raised row under the current rules. */
static int restore_one(AlertWatch *w, const char *rule, const char *row) {
    Guard *g = find_guard(w, rule, row);

    return g ? guard_restore(g, row) : add_leftover(w, rule, row);
}

static int restore(AlertWatch *w, const char *text) {
    _cleanup_json_ struct json_object *array = NULL;
    int r;

    if (isempty(text))
        return 0;
    r = json_parse_stored(text, strlen(text), &array);
    if (r < 0 || !json_object_is_type(array, json_type_array))
        return r == -ENOMEM ? r : 0; /* only this module writes the fact */
    for (size_t i = 0; i < json_object_array_length(array) && r >= 0; i++) {
        struct json_object *pair = json_object_array_get_idx(array, i);
        const char *rule, *row;

        if (!json_object_is_type(pair, json_type_array))
            continue;
        rule = json_object_get_string(json_object_array_get_idx(pair, 0));
        row = json_object_get_string(json_object_array_get_idx(pair, 1));
        if (rule && row)
            r = restore_one(w, rule, row);
    }
    return r;
}

static void clear_rules(AlertWatch *w) {
    for (size_t i = 0; i < w->rules.n; i++)
        guard_done(&w->guards[i]);
    free(TAKE_PTR(w->guards));
    alert_rules_done(&w->rules);
    leftovers_done(w);
    w->guard_host.n_values = 0;
    w->guard_host.was_full = false;
}

int alert_watch_configure(AlertWatch *w, AlertRules *rules) {
    _cleanup_free_ char *raised = NULL;
    Guard *guards;
    int r;

    TRY(alerts_get_fact(w->alerts, FACT, &raised));
    guards = calloc(MAX(rules->n, (size_t)1), sizeof(Guard));
    if (!guards)
        return -ENOMEM;
    remove_stats(w);
    clear_rules(w);
    w->guards = guards;
    w->rules = *rules;
    *rules = (AlertRules){};
    r = add_guards(w);
    if (r >= 0)
        r = restore(w, raised);
    clear_leftovers(w);
    return r;
}

int alert_watch_new(sd_event *event, Health *health, Alerts *alerts, AlertWatch **ret) {
    _cleanup_(alert_watch_freep) AlertWatch *w = calloc(1, sizeof(*w));

    if (!w)
        return -ENOMEM;
    w->guard_host =
        (GuardHost){.event = sd_event_ref(event), .on_judged = on_judged, .userdata = w};
    w->health = health;
    w->alerts = alerts;
    TRY(sd_event_add_time_relative(event, &w->retry, CLOCK_BOOTTIME, 0, 0, on_retry, w));
    TRY(sd_event_source_set_enabled(w->retry, SD_EVENT_OFF));
    *ret = TAKE_PTR(w);
    return 0;
}

AlertWatch *alert_watch_free(AlertWatch *w) {
    if (!w)
        return NULL;
    clear_rules(w);
    alert_changes_done(&w->guard_host.changes);
    sd_event_source_disable_unref(w->retry);
    sd_event_unref(w->guard_host.event);
    free(w);
    return NULL;
}
