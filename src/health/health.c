/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   timer of a group ─▶ sources_read() ─▶ measure ─▶ sample ─▶ series of each stat ─▶ observer
 *            └──▶ query to systemd ─ answer ─▶ the same for its types
 *
 * A group is all definitions of one interval. It has the last reading and the one before. */
#include "health/health.h"

#include "basic/log.h"
#include "basic/time-util.h"
#include "health/failed-units.h"

#define UNITS_MASK SOURCE_MASK(SOURCE_UNITS)
/* How late a timer may expire, so that several share a wake-up: a tenth of its interval, and at
 * most this. */
#define ACCURACY_USEC_MAX (250 * USEC_PER_MSEC)

typedef struct Group {
    Health *health;
    uint64_t interval_usec, next_usec;
    sd_event_source *timer;
    unsigned mask; /* sources that its definitions need */
    Snapshot snapshots[2];
    unsigned current; /* index of the latest snapshot */
    bool waits;       /* for systemd's answer */
    TAILQ_HEAD(, Stat) stats;
    LIST_ENTRY(Group) groups;
} Group;

struct Health {
    sd_event *event;
    Sources *sources;
    FailedUnits *units;
    SeriesBudget budgets[_STAT_OWNER_MAX]; /* separate for each owner's samples */
    Measure measure;                       /* reused */
    unsigned n_stats[_STAT_OWNER_MAX];
    bool budget_was_short;
    void (*on_sample)(const Stat *stat, const Series *series, void *userdata);
    void *userdata;
    LIST_HEAD(, Group) groups;
    TAILQ_HEAD(, Stat) stats;
};

static const Snapshot *get_now(const Group *g) {
    return &g->snapshots[g->current];
}

static const Snapshot *get_before(const Group *g) {
    return &g->snapshots[!g->current];
}

/* samples */

static void keep(Health *h, const Stat *s, Series *series, const Group *g) {
    const StatType *t = series_get_type(series);
    Sample *sample = NULL;
    int r;

    h->measure.n_rows = 0;
    r = t->measure(get_before(g), get_now(g), &h->measure);
    if (r == 0)
        return;
    if (r > 0)
        r = sample_new(t, &h->measure, get_now(g)->realtime_usec, &sample);
    if (r >= 0)
        r = series_add(series, sample);
    if (r < 0) {
        if (!h->budget_was_short)
            (void)log_warning_errno(r, "A sample of %s cannot be kept: %m", s->name);
        h->budget_was_short = true;
        return;
    }
    if (h->on_sample)
        h->on_sample(s, series, h->userdata);
}

/* Processes the types that need systemd's answer, or the others. */
static void keep_all(Group *g, bool of_units) {
    Stat *s;

    TAILQ_FOREACH(s, &g->stats, in_group)
    for (size_t i = 0; i < s->n_series; i++)
        if (!(series_get_type(s->series[i])->sources & UNITS_MASK) == !of_units)
            keep(g->health, s, s->series[i], g);
}

static void on_units(void *userdata) {
    Health *h = userdata;
    Group *g;

    LIST_FOREACH(g, &h->groups, groups) {
        Snapshot *now = &g->snapshots[g->current];

        if (!g->waits)
            continue;
        g->waits = false;
        now->n_failed_units =
            failed_units_get(h->units, &now->failed_units, &now->n_failed_units_named);
        now->have |= UNITS_MASK;
        keep_all(g, true);
    }
}

static void read_sources(Group *g, unsigned mask, const Snapshot *before, Snapshot *ret) {
    ret->realtime_usec = now_usec(CLOCK_REALTIME);
    ret->interval_usec = g->interval_usec;
    sources_read(g->health->sources, mask, before, ret);
}

static void sample_group(Group *g) {
    Snapshot *now;

    g->current = !g->current;
    now = &g->snapshots[g->current];
    now->have = 0;
    read_sources(g, g->mask, get_before(g), now);
    keep_all(g, false);
    if (g->mask & UNITS_MASK)
        g->waits = failed_units_ask(g->health->units) >= 0;
}

/* groups */

static int arm(Group *g) {
    TRY(sd_event_source_set_time(g->timer, g->next_usec));
    return sd_event_source_set_enabled(g->timer, SD_EVENT_ONESHOT);
}

/* Skips missed ticks (a stopped process, a machine that slept). */
static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    uint64_t now = now_usec(CLOCK_BOOTTIME);
    Group *g = userdata;

    g->next_usec += g->interval_usec;
    if (g->next_usec <= now)
        g->next_usec = now + g->interval_usec;
    sample_group(g);
    return arm(g);
}

static void group_free(Group *g) {
    LIST_REMOVE(g, groups);
    sd_event_source_disable_unref(g->timer);
    snapshot_done(&g->snapshots[0]);
    snapshot_done(&g->snapshots[1]);
    free(g);
}

static int group_new(Health *h, uint64_t interval_usec, Group **ret) {
    Group *g = calloc(1, sizeof(*g));
    int r;

    if (!g)
        return -ENOMEM;
    g->health = h;
    g->interval_usec = interval_usec;
    g->next_usec = now_usec(CLOCK_BOOTTIME) + interval_usec;
    TAILQ_INIT(&g->stats);
    LIST_INSERT_HEAD(&h->groups, g, groups);
    r = sd_event_add_time(h->event, &g->timer, CLOCK_BOOTTIME, g->next_usec,
                          MIN(interval_usec / 10, ACCURACY_USEC_MAX), on_timer, g);
    if (r < 0) {
        group_free(g);
        return r;
    }
    *ret = g;
    return 0;
}

static bool has_owner(const Group *g, StatOwner owner) {
    const Stat *s;

    TAILQ_FOREACH(s, &g->stats, in_group)
    if (s->definition.owner == owner)
        return true;
    return false;
}

/* The agent's groups are few, and do not count against the manager's limit. */
static int get_group(Health *h, const StatDefinition *d, Group **ret) {
    Group *g, *found = NULL;
    unsigned n = 0;

    LIST_FOREACH(g, &h->groups, groups) {
        if (g->interval_usec == d->interval_usec)
            found = g;
        else
            n += has_owner(g, STAT_OWNER_MANAGER);
    }
    if (d->owner == STAT_OWNER_MANAGER && n >= STAT_INTERVALS_MAX)
        return -EMLINK;
    if (!found)
        return group_new(h, d->interval_usec, ret);
    *ret = found;
    return 0;
}

static void leave_group(Stat *s) {
    Group *g = s->group;
    Stat *other;

    TAILQ_REMOVE(&g->stats, s, in_group);
    g->mask = 0;
    TAILQ_FOREACH(other, &g->stats, in_group)
    g->mask |= other->definition.type->sources;
    if (TAILQ_EMPTY(&g->stats))
        group_free(g);
}

/* Reads a source that is new to the group now, so that the next reading has a rate. */
static void join_group(Stat *s, Group *g) {
    unsigned missing = s->definition.type->sources & ~g->mask;
    Snapshot *now = &g->snapshots[g->current];

    s->group = g;
    TAILQ_INSERT_TAIL(&g->stats, s, in_group);
    g->mask |= missing;
    read_sources(g, missing, get_before(g), now);
}

/* definitions */

int health_add(Health *h, const StatDefinition *d, Stat **ret) {
    _cleanup_(stat_freep) Stat *s = NULL;
    Group *g;

    assert(d->hold > 0 && d->hold <= STAT_HOLD_MAX && d->interval_usec >= STAT_INTERVAL_USEC_MIN);
    if (health_find(h, d->owner, d->name))
        return -EEXIST;
    if (h->n_stats[d->owner] >= STATS_MAX)
        return -ENOSPC;
    TRY(stat_new(d, &h->budgets[d->owner], &s));
    TRY(get_group(h, d, &g));
    join_group(s, g);
    TAILQ_INSERT_TAIL(&h->stats, s, stats);
    h->n_stats[d->owner]++;
    if (ret)
        *ret = s;
    TAKE_PTR(s);
    return 0;
}

Stat *health_find(const Health *h, StatOwner owner, const char *name) {
    Stat *s;

    TAILQ_FOREACH(s, &h->stats, stats)
    if (s->definition.owner == owner && streq(s->name, name))
        return s;
    return NULL;
}

void health_remove(Health *h, Stat *stat) {
    leave_group(stat);
    TAILQ_REMOVE(&h->stats, stat, stats);
    h->n_stats[stat->definition.owner]--;
    stat_free(stat);
    h->budget_was_short = false;
    if (TAILQ_EMPTY(&h->stats))
        sources_rest(h->sources);
}

int health_visit(const Health *h, int (*visit)(const Stat *stat, void *userdata), void *userdata) {
    const Stat *s;
    int r = 0;

    TAILQ_FOREACH(s, &h->stats, stats) {
        r = visit(s, userdata);
        if (r != 0)
            break;
    }
    return r;
}

void health_sample(Health *h, uint64_t interval_usec) {
    Group *g;

    LIST_FOREACH(g, &h->groups, groups)
    if (g->interval_usec == interval_usec)
        sample_group(g);
}

void health_set_observer(Health *h,
                         void (*on_sample)(const Stat *stat, const Series *series, void *userdata),
                         void *userdata) {
    h->on_sample = on_sample;
    h->userdata = userdata;
}

void health_set_bus(Health *h, sd_bus *bus) {
    failed_units_set_bus(h->units, bus);
}

int health_new(sd_event *event, const char *root, Health **ret) {
    _cleanup_(health_freep) Health *h = calloc(1, sizeof(*h));

    if (!h)
        return -ENOMEM;
    TAILQ_INIT(&h->stats);
    h->event = sd_event_ref(event);
    for (StatOwner owner = 0; owner < _STAT_OWNER_MAX; owner++)
        h->budgets[owner].max = STAT_SAMPLES_SIZE_MAX;
    TRY(sources_new(root, &h->sources));
    TRY(failed_units_new(on_units, h, &h->units));
    *ret = TAKE_PTR(h);
    return 0;
}

Health *health_free(Health *h) {
    Stat *s;

    if (!h)
        return NULL;
    while ((s = TAILQ_FIRST(&h->stats)))
        health_remove(h, s);
    failed_units_free(h->units);
    sources_free(h->sources);
    measure_done(&h->measure);
    sd_event_unref(h->event);
    free(h);
    return NULL;
}
