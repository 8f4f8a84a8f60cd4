/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-backup/status.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/file-util.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "dcm-backup/catalogue.h"
#include "dcm-backup/schedules.h"

#define GRACE_USEC (3600 * USEC_PER_SEC) /* after which a run counts as missed */

typedef struct State {
    Catalogue catalogue;
    struct json_object *list;
} State;

/* --- runs that were killed ---------------------------------------------------------------------
 */

static bool is_locked(const char *series) {
    _cleanup_free_ char *path = NULL;
    _cleanup_close_ int fd = -1;

    if (asprintf(&path, BACKUP_RUN_DIRECTORY "/%s.lock", series) < 0) {
        path = NULL;
        return true;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0;
}

static int end_killed(Catalogue *c) {
    for (size_t i = 0; i < c->n; i++) {
        Record *r = &c->entries[i].record;

        if (r->outcome != RECORD_RUNNING || is_locked(r->series))
            continue;
        r->outcome = RECORD_FAILED;
        r->end_usec = r->begin_usec;
        TRY(free_and_strdup(&r->error, "The backup was ended before it was done"));
        TRY(catalogue_write(c->entries[i].name, r));
    }
    return 0;
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
        n += r->copies[i].is_complete;
    return n;
}

static uint64_t verified_usec(const Record *r) {
    uint64_t newest = 0;

    for (size_t i = 0; i < r->n_copies; i++)
        newest = MAX(newest, r->copies[i].verified_usec);
    return newest;
}

static int add_last(struct json_object *o, const Record *last) {
    if (!last)
        return json_add_string(o, "outcome", "none");
    TRY(json_add_string(o, "outcome", record_outcome_names[last->outcome]));
    TRY(json_add_int(o, "begin_usec", (int64_t)last->begin_usec));
    TRY(json_add_int(o, "end_usec", (int64_t)last->end_usec));
    return json_add_string(o, "error", strempty(last->error));
}

static int add_success(struct json_object *o, const Record *r) {
    TRY(json_add_int(o, "success_usec", r ? (int64_t)r->begin_usec : 0));
    TRY(json_add_string(o, "object", r ? r->object : ""));
    TRY(json_add_int(o, "size_bytes", r ? (int64_t)r->size_bytes : 0));
    TRY(json_add_int(o, "copies", r ? (int64_t)count_copies(r) : 0));
    return json_add_int(o, "verified_usec", r ? (int64_t)verified_usec(r) : 0);
}

/* The event after the last run should have begun one by then. */
static int add_schedule(struct json_object *o, const char *series, const Record *last) {
    _cleanup_free_ char *calendar = NULL;
    uint64_t made = 0, next = 0, due = 0, after;
    unsigned delay = 0;
    int r;

    r = schedule_calendar(series, &calendar, &delay, &made);
    if (r < 0 && r != -ENOENT)
        log_warning_errno(r, "The schedule %s cannot be read: %m", series);
    after = MAX(made, last ? last->begin_usec : 0);
    if (calendar && schedule_next(calendar, after, &next) >= 0)
        due = next + delay * USEC_PER_SEC + GRACE_USEC;
    TRY(json_add_string(o, "schedule", strempty(calendar)));
    return json_add_int(o, "due_usec", (int64_t)due);
}

static bool has_series(const State *s, const char *series) {
    for (size_t i = 0; i < json_object_array_length(s->list); i++)
        if (streq_ptr(json_get_string(json_object_array_get_idx(s->list, i), "name"), series))
            return true;
    return false;
}

static int add_series(const char *series, void *userdata) {
    State *s = userdata;
    _cleanup_json_ struct json_object *o = NULL;
    const Record *last = last_of(&s->catalogue, series);

    if (has_series(s, series) || json_object_array_length(s->list) >= BACKUP_SERIES_MAX)
        return 0;
    o = json_object_new_object();
    if (!o)
        return -ENOMEM;
    TRY(json_add_string(o, "name", series));
    TRY(add_last(o, last));
    TRY(add_success(o, catalogue_newest(&s->catalogue, series)));
    TRY(add_schedule(o, series, last));
    return json_object_array_add(s->list, TAKE_PTR(o)) < 0 ? -ENOMEM : 0;
}

/* --- all of them -------------------------------------------------------------------------------
 */

static int write_list(struct json_object *list) {
    _cleanup_json_ struct json_object *o = json_object_new_object();
    _cleanup_free_ char *text = NULL;
    size_t size = 0;

    if (!o)
        return -ENOMEM;
    TRY(json_add(o, "series", json_object_get(list)));
    TRY(json_encode(o, &text, &size));
    if (mkdir(BACKUP_STATE_DIRECTORY, 0755) < 0 && errno != EEXIST)
        return -errno;
    return write_file_atomic(STATUS_FILE, text, size, 0644);
}

static int collect(State *s) {
    TRY(catalogue_load(&s->catalogue));
    TRY(end_killed(&s->catalogue));
    TRY(schedule_visit(add_series, s));
    for (size_t i = s->catalogue.n; i-- > 0;)
        TRY(add_series(s->catalogue.entries[i].record.series, s));
    return write_list(s->list);
}

int status_write(void) {
    _cleanup_json_ struct json_object *list = json_object_new_array();
    State s = {.list = list};
    int r;

    r = list ? collect(&s) : -ENOMEM;
    catalogue_done(&s.catalogue);
    return r < 0 ? log_error_errno(r, STATUS_FILE " cannot be written: %m") : 0;
}
