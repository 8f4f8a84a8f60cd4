/* SPDX-License-Identifier: Apache-2.0 */
#include "alert/watch.h"

#include <fnmatch.h>
#include <math.h>
#include <stdio.h>

#include "alert/change.h"
#include "alert/pressure-trigger.h"
#include "basic/bounds.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "proto/json.h"
#include "proto/text.h"

#define FACT "alert_rules_raised" /* [["rule", "row"], ...] */
#define STAT_NAME_SIZE 96
#define VALUE_SIZE 32
#define WHY_SIZE 128
#define NAMES_SIZE 256
#define MISSED_MAX 2 /* samples without a row: it is gone */
#define RETRY_USEC (5 * USEC_PER_SEC)
#define QUIET_USEC_MIN (10 * USEC_PER_SEC) /* without a stall: then it is over */

typedef struct Watched {
    char *row; /* "" for the machine; UTF-8, as in what is stored */
    AlertWatchState state;
    double value; /* of the sample that is judged */
    bool seen;
    unsigned n_missed; /* samples, up to now, that did not have it */
} Watched;

typedef struct Guard {
    AlertWatch *watch;
    AlertRule *rule;
    Watched *watched;
    size_t n, allocated;
    bool is_watched;
    char names[NAMES_SIZE];   /* of what the value counts, if that has names */
    PressureTrigger *trigger; /* NULL: it is sampled */
    sd_event_source *quiet;
} Guard;

/* Raised, and watched by no rule any more: to be cleared. */
typedef struct Leftover {
    char *rule, *row;
} Leftover;

struct AlertWatch {
    sd_event *event;
    Health *health;
    Alerts *alerts;
    AlertRules rules;
    Guard *guards; /* one of each rule */
    size_t n_values;
    bool was_full;
    Leftover *leftovers;
    size_t n_leftovers;
    sd_event_source *retry; /* while leftovers cannot be cleared */
    AlertChanges changes;   /* of one sample */
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

/* All that is raised now, as the fact has it. */
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

/* What cannot be stored is as it was, and judged again with the next sample. */
static int tell(AlertWatch *w, bool leftovers) {
    _cleanup_free_ char *raised = NULL;

    if (w->changes.n > 0)
        (void)encode_raised(w, leftovers, &raised); /* without it nothing is told */
    return alert_changes_tell(&w->changes, w->alerts, FACT, raised);
}

static int clear_watched(Guard *g, Watched *v, AlertWatchState before, const char *why) {
    return alert_changes_clear(&g->watch->changes, g->rule, g->rule->name, v->row, why, &v->state,
                               before);
}

/* values */

static void watched_done(Watched *v) {
    free(v->row);
}

static void forget(Guard *g, size_t i) {
    watched_done(&g->watched[i]);
    memmove(&g->watched[i], &g->watched[i + 1], (g->n - i - 1) * sizeof(Watched));
    g->n--;
    g->watch->n_values--;
}

/* Rows come in the same order, mostly. */
static Watched *find(Guard *g, const char *row, size_t hint) {
    if (hint < g->n && streq(g->watched[hint].row, row))
        return &g->watched[hint];
    for (size_t i = 0; i < g->n; i++)
        if (streq(g->watched[i].row, row))
            return &g->watched[i];
    return NULL;
}

static int add(Guard *g, const char *row, Watched **ret) {
    Watched *grown, *v;

    if (g->watch->n_values >= ALERT_VALUES_MAX)
        return -ENOSPC;
    if (g->n == g->allocated) {
        grown = reallocarray(g->watched, MAX(g->allocated * 2, (size_t)4), sizeof(Watched));
        if (!grown)
            return -ENOMEM;
        g->watched = grown;
        g->allocated = MAX(g->allocated * 2, (size_t)4);
    }
    v = &g->watched[g->n];
    *v = (Watched){.row = strdup(row)};
    if (!v->row)
        return -ENOMEM;
    g->n++;
    g->watch->n_values++;
    *ret = v;
    return 0;
}

static int find_or_add(Guard *g, const char *row, Watched **ret) {
    *ret = find(g, row, g->n);
    return *ret ? 0 : add(g, row, ret);
}

static void judge(Guard *g, Watched *v, double value) {
    const AlertWatchState before = v->state;
    char text[VALUE_SIZE], why[WHY_SIZE];
    AlertChange change;
    int r = 0;

    change = alert_rule_judge(g->rule, value, now_usec(CLOCK_BOOTTIME), &v->state);
    if (change == ALERT_RAISED)
        r = alert_changes_raise(&g->watch->changes, g->rule, v->row, g->trigger ? NAN : value,
                                g->names, &v->state, before);
    else if (change == ALERT_CLEARED) {
        alert_rule_format(g->rule, value, text, sizeof(text));
        (void)utf8_format(why, sizeof(why), "%s is %s", g->rule->field->key, text);
        r = clear_watched(g, v, before, g->trigger ? "the pressure is gone" : why);
    }
    if (r < 0)
        v->state = before;
}

/* Of rows that share a name the worst counts. Where the next one is, likely. */
static size_t see(Guard *g, const char *row, size_t hint, double value) {
    Watched *v = find(g, row, hint);
    int r;

    if (!v) {
        r = add(g, row, &v);
        if (r < 0) {
            if (!g->watch->was_full)
                (void)log_warning_errno(r, "Alert %s: %s is not watched: %m", g->rule->name, row);
            g->watch->was_full = true;
            return hint;
        }
    }
    if (!v->seen || isnan(v->value) || (g->rule->above ? value > v->value : value < v->value))
        v->value = value;
    v->seen = true;
    v->n_missed = 0;
    return (size_t)(v - g->watched) + 1;
}

static size_t see_row(Guard *g, const char *raw, size_t hint, double value) {
    _cleanup_free_ char *valid = NULL;

    if (utf8_is_valid(raw, strlen(raw)))
        return see(g, raw, hint, value);
    return utf8_replace_invalid(raw, strlen(raw), &valid) < 0 ? hint : see(g, valid, hint, value);
}

/* A disk that was taken away, for instance; one sample without it may be a reading that failed. */
static void judge_missing(Guard *g, Watched *v) {
    const AlertWatchState before = v->state;

    if (++v->n_missed < MISSED_MAX)
        return;
    v->n_missed = MISSED_MAX;
    v->state = (AlertWatchState){};
    if (before.is_raised && clear_watched(g, v, before, "is gone") < 0)
        v->state = before;
}

static void forget_missing(Guard *g) {
    for (size_t i = g->n; i > 0; i--)
        if (g->watched[i - 1].n_missed >= MISSED_MAX && !g->watched[i - 1].state.is_raised)
            forget(g, i - 1);
}

/* Failed units, for instance: as many as there is room for. */
static void note_names(Guard *g, const Sample *sample) {
    const char *row = sample_get_row_name(sample, 0);
    size_t size = 0;

    g->names[0] = 0;
    if (!g->rule->type->rows || g->rule->type->n_row_fields > 0)
        return;
    for (size_t i = 0; i < sample_get_n_rows(sample); i++) {
        int n = snprintf(g->names + size, sizeof(g->names) - size, "%s%s", i > 0 ? ", " : "", row);

        if (n < 0 || size + (size_t)n >= sizeof(g->names) || !utf8_is_valid(row, strlen(row))) {
            g->names[size] = 0;
            return;
        }
        size += (size_t)n;
        row = sample_next_row_name(row);
    }
}

/* All rows first: changes point to what is watched. */
static void judge_sample(Guard *g, const Sample *sample) {
    const AlertRule *rule = g->rule;
    const char *row = sample_get_row_name(sample, 0);
    size_t hint = 0;

    note_names(g, sample);
    for (size_t i = 0; i < g->n; i++)
        g->watched[i].seen = false;
    if (!rule->of_rows)
        (void)see(g, "", 0, sample_get(sample, rule->field_index));
    for (size_t i = 0; rule->of_rows && i < sample_get_n_rows(sample); i++) {
        if (fnmatch(rule->rows, row, 0) == 0)
            hint = see_row(g, row, hint, sample_get_in_row(sample, i, rule->field_index));
        row = sample_next_row_name(row);
    }
    for (size_t i = 0; i < g->n; i++)
        if (g->watched[i].seen)
            judge(g, &g->watched[i], g->watched[i].value);
        else
            judge_missing(g, &g->watched[i]);
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
            judge_sample(&w->guards[i], series_get_newest(series));
    }
    (void)tell(w, true);
    for (size_t i = 0; i < w->rules.n; i++)
        forget_missing(&w->guards[i]);
}

/* kernel triggers */

static Watched *judge_pressure(Guard *g, double value) {
    Watched *v;

    if (find_or_add(g, g->rule->rows, &v) < 0)
        return NULL;
    judge(g, v, value);
    (void)tell(g->watch, true);
    return v;
}

static uint64_t get_quiet_usec(const Guard *g) {
    return MAX(3 * g->rule->window_usec, QUIET_USEC_MIN);
}

static void await_quiet(Guard *g) {
    (void)sd_event_source_set_time_relative(g->quiet, get_quiet_usec(g));
    (void)sd_event_source_set_enabled(g->quiet, SD_EVENT_ONESHOT);
}

static void on_stall(void *userdata) {
    Guard *g = userdata;

    await_quiet(g);
    (void)judge_pressure(g, INFINITY);
}

/* There is no next sample: what could not be stored is tried again. */
static int on_quiet(sd_event_source *source, uint64_t usec, void *userdata) {
    const Watched *v = judge_pressure(userdata, -INFINITY);

    if (v && v->state.is_raised)
        await_quiet(userdata);
    return 0;
}

static int add_trigger(Guard *g) {
    const AlertRule *rule = g->rule;
    int r;

    r = pressure_trigger_new(g->watch->event, rule->rows, strncmp(rule->field->key, "full", 4) == 0,
                             rule->stall_usec, rule->window_usec, on_stall, g, &g->trigger);
    if (r == -ENOMEM)
        return r;
    if (r < 0) {
        log_info("Alert %s: the kernel gives us no trigger (%s); averages are looked at instead",
                 rule->name, strerror(-r));
        return 0;
    }
    /* what was raised before may be over */
    r = sd_event_add_time_relative(g->watch->event, &g->quiet, CLOCK_BOOTTIME, get_quiet_usec(g),
                                   USEC_PER_SEC, on_quiet, g);
    log_debug("Alert %s: by a trigger of the kernel", rule->name);
    return r;
}

/* configuration */

static void guards_free(Guard *guards, size_t n) {
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < guards[i].n; k++)
            watched_done(&guards[i].watched[k]);
        free(guards[i].watched);
        pressure_trigger_free(guards[i].trigger);
        sd_event_source_disable_unref(guards[i].quiet);
    }
    free(guards);
}

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

/* Several rules share one. */
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

        g->watch = w;
        g->rule = w->rules.rules[i];
        if (g->rule->stall_usec > 0)
            r = add_trigger(g);
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
        r = alert_changes_clear(&w->changes, NULL, w->leftovers[i].rule, w->leftovers[i].row,
                                "is not watched any more", NULL, (AlertWatchState){});
    if (r >= 0)
        r = tell(w, false);
    alert_changes_done(&w->changes);
    if (r >= 0)
        leftovers_done(w);
    else if (sd_event_source_set_time_relative(w->retry, RETRY_USEC) >= 0)
        (void)sd_event_source_set_enabled(w->retry, SD_EVENT_ONESHOT);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
    clear_leftovers(userdata);
    return 0;
}

/* Who goes on with it, if anybody. */
static Guard *find_guard(AlertWatch *w, const char *name, const char *row) {
    for (size_t i = 0; i < w->rules.n; i++) {
        Guard *g = &w->guards[i];

        if (streq(g->rule->name, name))
            return g->is_watched && (!g->trigger || streq(g->rule->rows, row)) ? g : NULL;
    }
    return NULL;
}

/* What was raised, by the rules as they are now. */
static int restore_one(AlertWatch *w, const char *rule, const char *row) {
    Guard *g = find_guard(w, rule, row);
    Watched *v;
    int r;

    if (!g)
        return add_leftover(w, rule, row);
    r = find_or_add(g, row, &v);
    if (r >= 0)
        v->state.is_raised = true;
    return r;
}

static int restore(AlertWatch *w, const char *text) {
    _cleanup_json_ struct json_object *array = NULL;
    int r;

    if (isempty(text))
        return 0;
    r = json_parse_stored(text, strlen(text), &array);
    if (r < 0 || !json_object_is_type(array, json_type_array))
        return r == -ENOMEM ? r : 0; /* nobody else writes it */
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
    guards_free(w->guards, w->rules.n);
    w->guards = NULL;
    alert_rules_done(&w->rules);
    leftovers_done(w);
    w->n_values = 0;
    w->was_full = false;
}

int alert_watch_configure(AlertWatch *w, AlertRules *rules) {
    _cleanup_free_ char *raised = NULL;
    Guard *guards;
    int r;

    r = alerts_get_fact(w->alerts, FACT, &raised);
    if (r < 0)
        return r;
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
    int r;

    if (!w)
        return -ENOMEM;
    w->event = sd_event_ref(event);
    w->health = health;
    w->alerts = alerts;
    r = sd_event_add_time_relative(event, &w->retry, CLOCK_BOOTTIME, 0, 0, on_retry, w);
    if (r >= 0)
        r = sd_event_source_set_enabled(w->retry, SD_EVENT_OFF);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(w);
    return 0;
}

AlertWatch *alert_watch_free(AlertWatch *w) {
    if (!w)
        return NULL;
    clear_rules(w);
    alert_changes_done(&w->changes);
    sd_event_source_disable_unref(w->retry);
    sd_event_unref(w->event);
    free(w);
    return NULL;
}
