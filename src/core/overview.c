/* SPDX-License-Identifier: Apache-2.0 */
#include "core/overview.h"

#include "basic/bounds.h"

#define NAME_KEPT "overview"
#define NAME_LIVE "live"
#define LIVE_HOLD 120

static int add(Health *h, const char *name, uint64_t interval_usec, size_t hold) {
    return health_add(h,
                      &(const StatDefinition){
                          .name = name,
                          .type = stat_type_find("system-overview"),
                          .hold = hold,
                          .interval_usec = interval_usec,
                          .owner = STAT_OWNER_AGENT,
                      },
                      NULL);
}

int overview_configure(Health *h, uint64_t interval_usec, size_t hold) {
    Stat *kept = health_find(h, STAT_OWNER_AGENT, NAME_KEPT);

    if (kept && stat_get_definition(kept)->interval_usec == interval_usec &&
        stat_get_definition(kept)->hold == hold)
        return 0;
    if (kept)
        health_remove(h, kept);
    return interval_usec == 0 ? 0 : add(h, NAME_KEPT, interval_usec, hold);
}

int overview_set_live(Health *h, bool live) {
    Stat *s = health_find(h, STAT_OWNER_AGENT, NAME_LIVE);

    if (live)
        return s ? 0 : add(h, NAME_LIVE, USEC_PER_SEC, LIVE_HOLD);
    if (s)
        health_remove(h, s);
    return 0;
}

bool overview_is_live(const Stat *s) {
    const StatDefinition *d = stat_get_definition(s);

    return d->owner == STAT_OWNER_AGENT && streq(d->name, NAME_LIVE);
}

static bool has_sample(const Stat *s) {
    for (size_t i = 0; s && i < stat_get_n_series(s); i++)
        if (series_get_newest(stat_get_series(s, i)))
            return true;
    return false;
}

const Stat *overview_get(const Health *h) {
    const Stat *live = health_find(h, STAT_OWNER_AGENT, NAME_LIVE);

    return has_sample(live) ? live : health_find(h, STAT_OWNER_AGENT, NAME_KEPT);
}
