/* SPDX-License-Identifier: Apache-2.0 */
#include "core/alert-watch.h"

#include <fnmatch.h>
#include <math.h>
#include <stdio.h>

#include "basic/bounds.h"
#include "basic/log-fields.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "core/pressure-trigger.h"
#include "proto/json.h"
#include "proto/text.h"

#define FACT "alert_rules_raised" /* [["rule", "row"], ...] */
#define STAT_NAME_SIZE 96
#define VALUE_SIZE 32
#define WHY_SIZE 128
#define QUIET_USEC_MIN (10 * USEC_PER_SEC) /* without a stall: then it is over */

typedef struct Watched {
    char *row; /* "" for the machine */
    AlertWatchState state;
    bool seen;
} Watched;

typedef struct Guard {
    AlertWatch *watch;
    AlertRule *rule;
    Watched *watched;
    size_t n, allocated;
    PressureTrigger *trigger; /* NULL: it is sampled */
    sd_event_source *quiet;
} Guard;

struct AlertWatch {
    sd_event *event;
    Health *health;
    Alerts *alerts;
    AlertRules rules;
    Guard *guards; /* one of each rule */
    size_t n_values;
    bool was_full;
};

/* --- alerts
 * ---------------------------------------------------------------------------------------- */

static int add_raised(struct json_object *array, const char *rule, const char *raw) {
    _cleanup_free_ char *row = NULL;
    struct json_object *pair, *a, *b;
    int r;

    r = utf8_replace_invalid(raw, strlen(raw), &row);
    if (r < 0)
        return r;
    pair = json_object_new_array();
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
static int encode_raised(const AlertWatch *w, char **ret) {
    _cleanup_json_ struct json_object *array = json_object_new_array();
    int r = array ? 0 : -ENOMEM;

    for (size_t i = 0; i < w->rules.n && r >= 0; i++)
        for (size_t k = 0; k < w->guards[i].n && r >= 0; k++)
            if (w->guards[i].watched[k].state.is_raised)
                r = add_raised(array, w->guards[i].rule->name, w->guards[i].watched[k].row);
    return r < 0 ? r : json_encode(array, ret, NULL);
}

/* In one commit with what is raised then. */
static int tell(AlertWatch *w, int level, int number, const char *subject, const char *message) {
    const Alert alert = {
        .time_ms = now_usec(CLOCK_REALTIME) / USEC_PER_MSEC,
        .level = level,
        .rule = number,
        .subject = subject,
        .message = message,
    };
    _cleanup_free_ char *raised = NULL;
    int r;

    r = encode_raised(w, &raised);
    return r < 0 ? r : alerts_add(w->alerts, &alert, 1, 0, FACT, raised);
}

/* "/var: use is 93.1 %, above 90.0 %" */
static int describe(const AlertRule *rule, const char *row, double value, char **ret) {
    const char *side = rule->above ? "above" : "below", *colon = *row ? ": " : "";
    char now[VALUE_SIZE], threshold[VALUE_SIZE];

    alert_rule_format(rule, rule->threshold, threshold, sizeof(threshold));
    alert_rule_format(rule, value, now, sizeof(now));
    if (isnan(value)) /* the kernel tells that it is so, not how much */
        return asprintf(ret, "%s%s%s is %s %s", row, colon, rule->field->key, side, threshold);
    return asprintf(ret, "%s%s%s is %s, %s %s", row, colon, rule->field->key, now, side, threshold);
}

static int raise_alert(AlertWatch *w, const AlertRule *rule, const char *row, double value) {
    _cleanup_free_ char *name = NULL, *message = NULL, *subject = NULL;
    int r;

    r = utf8_replace_invalid(row, strlen(row), &name);
    if (r < 0)
        return r;
    if (describe(rule, name, value, &message) < 0 ||
        asprintf(&subject, "%s: %s", rule->name, rule->message ?: message) < 0)
        return -ENOMEM;
    r = tell(w, rule->level, rule->number, subject, message);
    if (r >= 0)
        (void)log_struct(LOG_WARNING, 0, LOG_FIELDS(LOG_ID(DCM_MESSAGE_ALERT_RAISED)),
                         "Alert %s: %s", rule->name, message);
    return r;
}

static int clear_alert(AlertWatch *w, const char *rule, int level, int number, const char *row,
                       const char *why) {
    _cleanup_free_ char *name = NULL, *message = NULL, *subject = NULL;
    int r;

    r = utf8_replace_invalid(row, strlen(row), &name);
    if (r < 0)
        return r;
    if (asprintf(&message, "%s%s%s", name, *name ? ": " : "", why) < 0 ||
        asprintf(&subject, "%s: cleared", rule) < 0)
        return -ENOMEM;
    r = tell(w, level, number, subject, message);
    if (r >= 0)
        (void)log_struct(LOG_NOTICE, 0, LOG_FIELDS(LOG_ID(DCM_MESSAGE_ALERT_CLEARED)),
                         "Alert %s is over: %s", rule, message);
    return r;
}

/* --- values
 * ---------------------------------------------------------------------------------------- */

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

/* What cannot be stored is as it was, and judged again with the next sample. */
static void judge(Guard *g, Watched *v, double value) {
    const AlertWatchState before = v->state;
    char text[VALUE_SIZE], why[WHY_SIZE];
    AlertChange change;
    int r = 0;

    change = alert_rule_judge(g->rule, value, now_usec(CLOCK_BOOTTIME), &v->state);
    if (change == ALERT_RAISED)
        r = raise_alert(g->watch, g->rule, v->row, g->trigger ? NAN : value);
    else if (change == ALERT_CLEARED) {
        alert_rule_format(g->rule, value, text, sizeof(text));
        (void)snprintf(why, sizeof(why), "%s is %s", g->rule->field->key, text);
        r = clear_alert(g->watch, g->rule->name, g->rule->level, g->rule->number, v->row,
                        g->trigger ? "the pressure is gone" : why);
    }
    if (r < 0)
        v->state = before;
}

static void judge_row(Guard *g, const char *row, size_t hint, double value) {
    Watched *v = find(g, row, hint);

    if (!v && add(g, row, &v) < 0) {
        if (!g->watch->was_full)
            log_warning("Alert %s: too many values are watched; %s is not", g->rule->name, row);
        g->watch->was_full = true;
        return;
    }
    v->seen = true;
    judge(g, v, value);
}

/* A disk that was taken away, for instance. */
static void leave_gone(Guard *g) {
    for (size_t i = g->n; i > 0; i--) {
        Watched *v = &g->watched[i - 1];
        const AlertWatchState before = v->state;

        if (v->seen)
            continue;
        v->state = (AlertWatchState){};
        if (before.is_raised && clear_alert(g->watch, g->rule->name, g->rule->level,
                                            g->rule->number, v->row, "is gone") < 0)
            v->state = before;
        else
            forget(g, i - 1);
    }
}

static void judge_sample(Guard *g, const Sample *sample) {
    const AlertRule *rule = g->rule;

    for (size_t i = 0; i < g->n; i++)
        g->watched[i].seen = false;
    if (!rule->of_rows)
        judge_row(g, "", 0, sample_get(sample, rule->field_index));
    for (size_t i = 0; rule->of_rows && i < sample_get_n_rows(sample); i++) {
        const char *row = sample_get_row_name(sample, i);

        if (fnmatch(rule->rows, row, 0) == 0)
            judge_row(g, row, i, sample_get_in_row(sample, i, rule->field_index));
    }
    leave_gone(g);
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
}

/* --- kernel triggers
 * ------------------------------------------------------------------------------- */

static void judge_pressure(Guard *g, double value) {
    Watched *v;

    if (find_or_add(g, g->rule->rows, &v) >= 0)
        judge(g, v, value);
}

static void on_stall(void *userdata) {
    Guard *g = userdata;
    uint64_t quiet_usec = MAX(3 * g->rule->window_usec, QUIET_USEC_MIN);

    (void)sd_event_source_set_time_relative(g->quiet, quiet_usec);
    (void)sd_event_source_set_enabled(g->quiet, SD_EVENT_ONESHOT);
    judge_pressure(g, INFINITY);
}

static int on_quiet(sd_event_source *source, uint64_t usec, void *userdata) {
    judge_pressure(userdata, -INFINITY);
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
    r = sd_event_add_time_relative(g->watch->event, &g->quiet, CLOCK_BOOTTIME, QUIET_USEC_MIN,
                                   USEC_PER_SEC, on_quiet,
                                   g); /* what was raised before may be over */
    log_debug("Alert %s: by a trigger of the kernel", rule->name);
    return r;
}

/* --- configuration
 * --------------------------------------------------------------------------------- */

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
        if (r < 0 && r != -ENOMEM) {
            (void)log_warning_errno(r, "Alert %s cannot be watched: %m", g->rule->name);
            r = 0;
        }
    }
    return r;
}

static Guard *find_guard(AlertWatch *w, const char *name) {
    for (size_t i = 0; i < w->rules.n; i++)
        if (streq(w->rules.rules[i]->name, name))
            return &w->guards[i];
    return NULL;
}

/* What the store says is raised, by the rules as they are now. */
static int restore_one(AlertWatch *w, const char *rule, const char *row) {
    Guard *g = find_guard(w, rule);
    Watched *v;
    int r;

    if (!g)
        return clear_alert(w, rule, ALERT_LEVEL_DEFAULT, 0, row, "is not watched any more");
    r = find_or_add(g, row, &v);
    if (r >= 0)
        v->state.is_raised = true;
    return r;
}

static int restore(AlertWatch *w) {
    _cleanup_json_ struct json_object *array = NULL;
    _cleanup_free_ char *text = NULL;
    int r;

    r = alerts_get_fact(w->alerts, FACT, &text);
    if (r < 0 || isempty(text))
        return r;
    r = json_parse(text, strlen(text), &array);
    if (r < 0 || !json_object_is_type(array, json_type_array))
        return r == -ENOMEM ? r : 0; /* nobody else writes it */
    for (size_t pass = 0; pass < 2;
         pass++) /* first what goes on: the others' alerts store it again */
        for (size_t i = 0; i < json_object_array_length(array) && r >= 0; i++) {
            struct json_object *pair = json_object_array_get_idx(array, i);
            const char *rule, *row;

            if (!json_object_is_type(pair, json_type_array))
                continue;
            rule = json_object_get_string(json_object_array_get_idx(pair, 0));
            row = json_object_get_string(json_object_array_get_idx(pair, 1));
            if (rule && row && (find_guard(w, rule) != NULL) == (pass == 0))
                r = restore_one(w, rule, row);
        }
    return r;
}

int alert_watch_configure(AlertWatch *w, AlertRules *rules) {
    int r;

    remove_stats(w);
    guards_free(w->guards, w->rules.n);
    alert_rules_done(&w->rules);
    w->n_values = 0;
    w->was_full = false;
    w->rules = *rules;
    *rules = (AlertRules){};
    w->guards = calloc(MAX(w->rules.n, (size_t)1), sizeof(Guard));
    if (!w->guards) {
        alert_rules_done(&w->rules);
        return -ENOMEM;
    }
    r = add_guards(w);
    return r < 0 ? r : restore(w);
}

int alert_watch_new(sd_event *event, Health *health, Alerts *alerts, AlertWatch **ret) {
    AlertWatch *w = calloc(1, sizeof(*w));

    if (!w)
        return -ENOMEM;
    w->event = sd_event_ref(event);
    w->health = health;
    w->alerts = alerts;
    *ret = w;
    return 0;
}

AlertWatch *alert_watch_free(AlertWatch *w) {
    if (!w)
        return NULL;
    guards_free(w->guards, w->rules.n);
    alert_rules_done(&w->rules);
    sd_event_unref(w->event);
    free(w);
    return NULL;
}
