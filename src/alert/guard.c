/* SPDX-License-Identifier: Apache-2.0 */
#include "alert/guard.h"

#include <fnmatch.h>
#include <math.h>
#include <stdio.h>

#include "basic/bounds.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "proto/text.h"

#define VALUE_SIZE 32
#define WHY_SIZE 128
#define MISSED_MAX 2                       /* samples without a row, after which the row is gone */
#define QUIET_USEC_MIN (10 * USEC_PER_SEC) /* the stall ends after so long without a trigger */

static int clear_watched(Guard *g, Watched *v, AlertWatchState before, const char *why) {
    return alert_changes_clear(&g->host->changes, g->rule, g->rule->name, v->row, why, &v->state,
                               before);
}

static void watched_done(Watched *v) {
    free(v->row);
}

static void forget(Guard *g, size_t i) {
    watched_done(&g->watched[i]);
    memmove(&g->watched[i], &g->watched[i + 1], (g->n - i - 1) * sizeof(Watched));
    g->n--;
    g->host->n_values--;
}

/* Uses `hint`, because rows usually come in the same order. */
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

    if (g->host->n_values >= ALERT_VALUES_MAX)
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
    g->host->n_values++;
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
        r = alert_changes_raise(&g->host->changes, g->rule, v->row, g->trigger ? NAN : value,
                                g->names, &v->state, before);
    else if (change == ALERT_CLEARED) {
        alert_rule_format(g->rule, value, text, sizeof(text));
        (void)utf8_format(why, sizeof(why), "%s is %s", g->rule->field->key, text);
        r = clear_watched(g, v, before, g->trigger ? "the pressure is gone" : why);
    }
    if (r < 0)
        v->state = before;
}

/* If rows share a name, the worst value counts. Returns the likely index of the next row. */
static size_t see(Guard *g, const char *row, size_t hint, double value) {
    Watched *v = find(g, row, hint);
    int r;

    if (!v) {
        r = add(g, row, &v);
        if (r < 0) {
            if (!g->host->was_full)
                (void)log_warning_errno(r, "Alert %s does not watch %s: %m", g->rule->name, row);
            g->host->was_full = true;
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

/* The row's device was removed, for instance; a single sample without it may be a failed
 * reading. */
static void judge_missing(Guard *g, Watched *v) {
    const AlertWatchState before = v->state;

    if (++v->n_missed < MISSED_MAX)
        return;
    v->n_missed = MISSED_MAX;
    v->state = (AlertWatchState){};
    if (before.is_raised && clear_watched(g, v, before, "is gone") < 0)
        v->state = before;
}

void guard_forget_missing(Guard *g) {
    for (size_t i = g->n; i > 0; i--)
        if (g->watched[i - 1].n_missed >= MISSED_MAX && !g->watched[i - 1].state.is_raised)
            forget(g, i - 1);
}

/* Lists failed units, for instance, as far as there is room. */
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

/* Collects all rows first, because changes point into the array. */
void guard_judge_sample(Guard *g, const Sample *sample) {
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

/* kernel triggers */

static Watched *judge_pressure(Guard *g, double value) {
    Watched *v;

    if (find_or_add(g, g->rule->rows, &v) < 0)
        return NULL;
    judge(g, v, value);
    g->host->on_judged(g->host->userdata);
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

/* No sample follows, so a change that was not stored is retried here. */
static int on_quiet(sd_event_source *source, uint64_t usec, void *userdata) {
    const Watched *v = judge_pressure(userdata, -INFINITY);

    if (v && v->state.is_raised)
        await_quiet(userdata);
    return 0;
}

int guard_add_trigger(Guard *g) {
    const AlertRule *rule = g->rule;
    int r;

    r = pressure_trigger_new(g->host->event, rule->rows, strncmp(rule->field->key, "full", 4) == 0,
                             rule->stall_usec, rule->window_usec, on_stall, g, &g->trigger);
    if (r == -ENOMEM)
        return r;
    if (r < 0) {
        log_info("Alert %s: the kernel offers no pressure trigger (%s); the agent samples averages "
                 "instead",
                 rule->name, strerror(-r));
        return 0;
    }
    /* a restored alert may be over */
    r = sd_event_add_time_relative(g->host->event, &g->quiet, CLOCK_BOOTTIME, get_quiet_usec(g),
                                   USEC_PER_SEC, on_quiet, g);
    log_debug("Alert %s uses a pressure trigger of the kernel", rule->name);
    return r;
}

void guard_done(Guard *g) {
    for (size_t i = 0; i < g->n; i++)
        watched_done(&g->watched[i]);
    free(g->watched);
    pressure_trigger_free(g->trigger);
    sd_event_source_disable_unref(g->quiet);
}

int guard_restore(Guard *g, const char *row) {
    Watched *v;
    int r;

    r = find_or_add(g, row, &v);
    if (r >= 0)
        v->state.is_raised = true;
    return r;
}
