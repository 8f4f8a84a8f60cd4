/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-backup/status.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup/series-state.h"
#include "basic/array.h"
#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/file-util.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "basic/utf8.h"
#include "dcm-backup/catalogue.h"
#include "dcm-backup/lock-file.h"
#include "dcm-backup/schedules.h"

#define GRACE_USEC (3600 * USEC_PER_SEC) /* after which a run counts as missed */

#define ERROR_MAX ((size_t)512)

typedef struct State {
    Catalogue catalogue;
    SeriesStates states;
    size_t allocated;
} State;

/* --- runs that were killed ---------------------------------------------------------------------
 */

/* Whoever had the lock may have written the record since it was loaded. */
static int end_run(Record *r, void *userdata) {
    if (r->outcome != RECORD_RUNNING)
        return RECORD_KEEP;
    r->outcome = RECORD_FAILED;
    r->end_usec = r->begin_usec;
    TRY(free_and_strdup(&r->error, "The backup was ended before it was done"));
    return RECORD_WRITE;
}

/* 1: records have changed. */
static int end_killed(const Catalogue *c) {
    bool any = false;

    for (size_t i = 0; i < c->n; i++) {
        const Record *r = &c->entries[i].record;
        _cleanup_close_ int fd = -1;
        int k;

        if (r->outcome != RECORD_RUNNING || lock_file_take(r->series, 0, &fd) < 0)
            continue;
        k = catalogue_change(c->entries[i].name, end_run, NULL);
        if (k < 0 && k != -ENOENT)
            return k;
        any = true;
    }
    return any;
}

/* --- one series --------------------------------------------------------------------------------
 */

static const Record *last_of(const Catalogue *c, const char *series) {
    for (size_t i = c->n; i-- > 0;)
        if (streq(c->entries[i].record.series, series))
            return &c->entries[i].record;
    return NULL;
}

static size_t count_copies(const Record *r) {
    size_t n = 0;

    for (size_t i = 0; i < r->n_copies; i++)
        n += r->copies[i].is_complete && !r->copies[i].error;
    return n;
}

static const RecordCopy *damaged_copy(const Record *r) {
    for (size_t i = 0; i < r->n_copies; i++)
        if (r->copies[i].is_complete && r->copies[i].error)
            return &r->copies[i];
    return NULL;
}

static uint64_t verified_usec(const Record *r) {
    uint64_t newest = 0;

    for (size_t i = 0; i < r->n_copies; i++)
        newest = MAX(newest, r->copies[i].verified_usec);
    return newest;
}

static int set_last(SeriesState *s, const Record *last) {
    static const SeriesOutcome outcomes[_RECORD_OUTCOME_MAX] = {
        [RECORD_RUNNING] = SERIES_RUNNING,
        [RECORD_COMPLETE] = SERIES_COMPLETE,
        [RECORD_FAILED] = SERIES_FAILED,
    };

    if (!last)
        return 0;
    s->outcome = outcomes[last->outcome];
    s->begin_usec = last->begin_usec;
    s->end_usec = last->end_usec;
    if (isempty(last->error))
        return 0;
    return asprintf(&s->error, "%.*s", UTF8_SHORT(last->error, ERROR_MAX)) < 0 ? -ENOMEM : 0;
}

/* What verify_backup has found. Until there is a better one the series counts as failed. */
static int set_damage(SeriesState *s, const Record *r) {
    const RecordCopy *c = damaged_copy(r);

    if (!c || s->outcome == SERIES_RUNNING)
        return 0;
    s->outcome = SERIES_FAILED;
    free(s->error);
    s->error = NULL;
    return asprintf(&s->error, "The copy of %s in %s %.*s is damaged: make a new backup", r->object,
                    strempty(c->provider), UTF8_SHORT(strempty(c->bucket), 100)) < 0
               ? -ENOMEM
               : 0;
}

static int set_success(SeriesState *s, const Record *r) {
    if (!r)
        return 0;
    s->success_usec = r->begin_usec;
    s->size_bytes = r->size_bytes;
    s->copies = (unsigned)count_copies(r);
    s->verified_usec = verified_usec(r);
    TRY(set_damage(s, r));
    return free_and_strdup(&s->object, r->object);
}

/* The event after the last run should have begun one by then. */
static void set_schedule(SeriesState *s, const Record *last) {
    const uint64_t now = now_usec(CLOCK_REALTIME);
    uint64_t made = 0, next = 0, after;
    unsigned delay = 0;
    int r;

    r = schedule_calendar(s->name, &s->schedule, &delay, &made);
    if (r < 0 && r != -ENOENT)
        log_warning_errno(r, "The schedule %s cannot be read: %m", s->name);
    after = MIN(MAX(made, last ? last->begin_usec : 0), now); /* later: it was set back */
    if (s->schedule && schedule_next(s->schedule, after, &next) >= 0)
        s->due_usec = next + delay * USEC_PER_SEC + GRACE_USEC;
}

static bool has_series(const State *s, const char *name) {
    for (size_t i = 0; i < s->states.n; i++)
        if (streq(s->states.series[i].name, name))
            return true;
    return false;
}

static int add_series(const char *name, void *userdata) {
    State *s = userdata;
    const Record *last = last_of(&s->catalogue, name);
    SeriesState *x;

    if (has_series(s, name) || s->states.n >= BACKUP_SERIES_MAX)
        return 0;
    TRY(array_reserve(&s->states.series, &s->allocated, s->states.n + 1, BACKUP_SERIES_MAX));
    x = &s->states.series[s->states.n++];
    *x = (SeriesState){.name = strdup(name)};
    if (!x->name)
        return -ENOMEM;
    TRY(set_last(x, last));
    TRY(set_success(x, catalogue_newest(&s->catalogue, name)));
    set_schedule(x, last);
    return 0;
}

/* --- all of them -------------------------------------------------------------------------------
 */

static int write_states(const SeriesStates *states) {
    _cleanup_json_ struct json_object *o = NULL;
    _cleanup_free_ char *text = NULL;
    size_t size = 0;

    TRY(series_states_to_json(states, &o));
    TRY(json_encode(o, &text, &size));
    if (mkdir(BACKUP_STATE_DIRECTORY, 0755) < 0 && errno != EEXIST)
        return -errno;
    return write_file_atomic("/" SERIES_STATE_FILE, text, size, 0644);
}

static int collect(State *s) {
    int r;

    TRY(catalogue_load(&s->catalogue));
    r = end_killed(&s->catalogue);
    TRY(r);
    if (r > 0) {
        catalogue_done(&s->catalogue);
        TRY(catalogue_load(&s->catalogue));
    }
    TRY(schedule_visit(add_series, s));
    for (size_t i = s->catalogue.n; i-- > 0;)
        TRY(add_series(s->catalogue.entries[i].record.series, s));
    return write_states(&s->states);
}

/* One at a time: who looked first must not write last. */
static int lock(int *ret_fd) {
    _cleanup_close_ int fd = -1;

    if (mkdir(BACKUP_RUN_DIRECTORY, 0755) < 0 && errno != EEXIST)
        return -errno;
    fd = open(BACKUP_RUN_DIRECTORY "/status.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || flock(fd, LOCK_EX) < 0)
        return -errno;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int status_write(void) {
    _cleanup_close_ int fd = -1;
    State s = {};
    int r;

    r = lock(&fd);
    if (r >= 0)
        r = collect(&s);
    catalogue_done(&s.catalogue);
    series_states_done(&s.states);
    return r < 0 ? log_error_errno(r, "/" SERIES_STATE_FILE " cannot be written: %m") : 0;
}
