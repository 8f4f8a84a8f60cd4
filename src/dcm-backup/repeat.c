/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-backup/repeat.h"

#include <stdlib.h>

#include "basic/log.h"
#include "basic/time-util.h"
#include "dcm-backup/catalogue.h"
#include "dcm-backup/schedules.h"

/* Set back by more, the clock was wrong before, and what was made then counts no more: that is how
 * cron(8) tells both apart, too. */
#define SET_BACK_USEC (3 * 3600 * USEC_PER_SEC)

/* Whether no event is in between, of which the earlier time itself is none. */
static bool has_none(const char *calendar, uint64_t from_usec, uint64_t to_usec) {
    uint64_t next;
    const int r = schedule_next(calendar, from_usec, &next);

    return r == -ENODATA || (r >= 0 && next > to_usec);
}

/* Of several events within the time that comes again only the last is the same: a schedule of every
 * minute goes on. */
static bool is_made(const char *calendar, uint64_t begin_usec, uint64_t now) {
    if (begin_usec <= now)
        return has_none(calendar, begin_usec, now);
    return begin_usec - now <= SET_BACK_USEC && has_none(calendar, now, begin_usec);
}

static int find(const char *id, bool *ret) {
    _cleanup_(catalogue_done) Catalogue c = {};
    _cleanup_free_ char *calendar = NULL;
    uint64_t made_usec;
    unsigned delay_sec;
    const Record *r;

    *ret = false;
    TRY(catalogue_load(&c));
    r = catalogue_newest(&c, id);
    if (!r || !r->is_scheduled)
        return 0;
    TRY(schedule_calendar(id, &calendar, &delay_sec, &made_usec));
    *ret = is_made(calendar, r->begin_usec, now_usec(CLOCK_REALTIME));
    if (*ret)
        log_notice("The backup %s is there already: %s; the timer's time has come again", id,
                   r->object);
    return 0;
}

bool repeat_is_needless(const char *id) {
    bool is_needless;
    int r;

    if (isempty(getenv("TRIGGER_TIMER_REALTIME_USEC"))) /* no timer has started this */
        return false;
    r = find(id, &is_needless);
    if (r < 0)
        log_warning_errno(r, "Whether the backup %s is there already cannot be found out: %m", id);
    return r >= 0 && is_needless;
}
