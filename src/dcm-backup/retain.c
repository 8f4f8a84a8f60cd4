/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-backup/retain.h"

#include "basic/strv.h"
#include "basic/time-util.h"
#include "basic/utf8.h"
#include "dcm-backup/catalogue.h"
#include "dcm-backup/object.h"

/* What is later was made while the clock was wrong, or it is wrong now. */
#define FUTURE_USEC (86400 * USEC_PER_SEC)

typedef enum Standing {
    FOREIGN,    /* no record says that it was made here */
    INCOMPLETE, /* its run was ended, or failed for this place */
    DAMAGED,    /* as it was read back later */
    GOOD,
    _STANDING_MAX,
} Standing;

typedef struct Found {
    char *name;
    uint64_t time_usec, number; /* Record.number */
    Standing standing;
    bool is_future;
    bool is_deleted; /* chosen to be */
} Found;

typedef struct List {
    Found *found;
    size_t n;
} List;

static void list_done(List *l) {
    for (size_t i = 0; i < l->n; i++)
        free(l->found[i].name);
    free(l->found);
}

/* --- whose they are ----------------------------------------------------------------------------
 */

static bool is_of_series(const Work *w, const Record *r) {
    return streq_ptr(r->series, w->series.id) && (!r->data_source || !w->request.data_source ||
                                                  streq(r->data_source, w->request.data_source));
}

static Standing standing_of(const Work *w, const Record *r, const RecordCopy *at) {
    const RecordCopy *copy = record_find_copy(r, at);

    if (!is_of_series(w, r) || !copy)
        return FOREIGN;
    if (!copy->is_complete)
        return INCOMPLETE;
    return copy->error ? DAMAGED : GOOD;
}

static int set_standings(Work *w, const Target *t, List *l) {
    _cleanup_(catalogue_done) Catalogue c = {};
    const uint64_t now = now_usec(CLOCK_REALTIME);
    RecordCopy at = {};
    int r;

    r = target_to_copy(t, &at);
    if (r >= 0)
        r = catalogue_load(&c);
    for (size_t i = 0; r >= 0 && i < l->n; i++) {
        const CatalogueEntry *e = catalogue_find(&c, l->found[i].name);

        l->found[i].standing = e ? standing_of(w, &e->record, &at) : FOREIGN;
        l->found[i].number = e ? e->record.number : 0;
        l->found[i].is_future = l->found[i].time_usec > now + FUTURE_USEC;
    }
    record_copy_done(&at);
    return r;
}

/* --- what is there -----------------------------------------------------------------------------
 */

static int take_objects(const Series *s, struct json_object *list, List *l) {
    const size_t n =
        json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

    l->found = calloc(n + 1, sizeof(Found));
    if (!l->found)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const char *name = json_get_string(json_object_array_get_idx(list, i), "name");
        Found *f = &l->found[l->n];

        if (!name || !series_has(s, name, &f->time_usec))
            continue;
        f->name = strdup(name);
        if (!f->name)
            return -ENOMEM;
        l->n++;
    }
    return 0;
}

static int list_objects(Work *w, const Target *t, List *l, char **ret_text) {
    _cleanup_json_ struct json_object *o = NULL;
    _cleanup_free_ char *code = NULL;

    TRY(object_call(w, t, (const char *const[]){"list", "--", w->series.prefix, NULL}, &o, &code,
                    ret_text));
    TRY(take_objects(&w->series, json_get(o, "objects"), l));
    return set_standings(w, t, l);
}

static size_t count(const List *l, Standing standing, bool is_future) {
    size_t n = 0;

    for (size_t i = 0; i < l->n; i++)
        n += l->found[i].standing == standing && l->found[i].is_future == is_future;
    return n;
}

/* The clock may have been set back since one of them was made. */
static bool is_newer(const Found *f, const Found *than) {
    return f->number != than->number ? f->number > than->number : f->time_usec > than->time_usec;
}

static const Found *newest_of(const List *l, Standing standing, bool is_future) {
    const Found *best = NULL;

    for (size_t i = 0; i < l->n; i++) {
        const Found *f = &l->found[i];

        if (f->standing == standing && f->is_future == is_future && (!best || is_newer(f, best)))
            best = f;
    }
    return best;
}

/* --- the newest --------------------------------------------------------------------------------
 */

static int fail_none(Work *w, const List *l) {
    const Found *foreign = newest_of(l, FOREIGN, false) ?: newest_of(l, FOREIGN, true);

    if (!foreign)
        return work_fail(w, "no-such-object", "There is no backup of %s: no whole object %s...",
                         w->series.id, w->series.prefix);
    return work_fail(w, "no-such-object",
                     "No backup of %s at this place is known to be made by this server. Others are "
                     "there, the newest of them is %s: give its name as object if it is the right "
                     "one",
                     w->series.id, foreign->name);
}

int retain_find_newest(Work *w, const Target *t, char **ret_object) {
    _cleanup_free_ char *text = NULL;
    _cleanup_(list_done) List l = {};
    const Found *f;
    int r;

    r = list_objects(w, t, &l, &text);
    if (r == -EIO)
        return work_fail(w, "storage", "%s", strempty(text));
    TRY(r);
    f = newest_of(&l, GOOD, false) ?: newest_of(&l, GOOD, true);
    if (!f)
        return fail_none(w, &l);
    return free_and_strdup(ret_object, f->name);
}

/* --- deleting ----------------------------------------------------------------------------------
 */

/* Records of what is nowhere any more go; of two copies both must. */
static int forget_copy(Record *r, void *userdata) {
    RecordCopy *copy = record_find_copy(r, userdata);
    size_t left = 0;

    if (copy)
        copy->is_complete = false;
    for (size_t i = 0; i < r->n_copies; i++)
        left += r->copies[i].is_complete;
    return left > 0 ? RECORD_WRITE : RECORD_REMOVE;
}

static int forget(const char *object, const Target *t) {
    _cleanup_(catalogue_done) Catalogue c = {};
    RecordCopy at = {};
    int r;

    TRY(catalogue_load(&c));
    r = target_to_copy(t, &at);
    for (size_t i = 0; r >= 0 && i < c.n; i++)
        if (streq_ptr(c.entries[i].record.object, object))
            r = catalogue_change(c.entries[i].name, forget_copy, &at);
    record_copy_done(&at);
    return r == -ENOENT ? 0 : r;
}

static int delete_one(Work *w, const Target *t, const char *name) {
    _cleanup_json_ struct json_object *o = NULL;
    _cleanup_free_ char *code = NULL, *text = NULL;
    int r;

    r = object_call(w, t, (const char *const[]){"delete", "--", name, NULL}, &o, &code, &text);
    if (r < 0 && r != -EIO)
        return r;
    if (r < 0 && !streq(strempty(code), "no-such-object"))
        return work_note(w, "The old backup %s could not be deleted: %s", name, strempty(text));
    r = forget(name, t);
    if (r < 0)
        TRY(work_note(w, "The record of %s cannot be changed: %s", name, strerror(-r)));
    return work_note(w, "The old backup %s was deleted (%s copy)", name, t->role);
}

static int choose_good(const Work *w, List *l) {
    _cleanup_free_ uint64_t *times = calloc(l->n + 1, sizeof(uint64_t));
    _cleanup_free_ bool *delete = calloc(l->n + 1, sizeof(bool));
    size_t n = 0, k = 0;

    if (!times || !delete)
        return -ENOMEM;
    for (size_t i = 0; i < l->n; i++)
        if (l->found[i].standing == GOOD && !l->found[i].is_future)
            times[n++] = l->found[i].time_usec;
    retention_choose(&w->request.retain, times, n, delete);
    for (size_t i = 0; i < l->n; i++)
        if (l->found[i].standing == GOOD && !l->found[i].is_future)
            l->found[i].is_deleted = delete[k++];
    return 0;
}

/* What is damaged may still have something, as long as nothing older is kept. */
static void choose_others(List *l, const char *newest) {
    uint64_t oldest_usec = UINT64_MAX;

    for (size_t i = 0; i < l->n; i++) {
        Found *f = &l->found[i];

        if (streq(f->name, newest))
            f->is_deleted = false;
        if (f->standing == GOOD && !f->is_deleted)
            oldest_usec = MIN(oldest_usec, f->time_usec);
    }
    for (size_t i = 0; i < l->n; i++) {
        Found *f = &l->found[i];

        if (f->standing == INCOMPLETE ||
            (f->standing == DAMAGED && !f->is_future && f->time_usec < oldest_usec))
            f->is_deleted = true;
    }
}

static bool has_good(const List *l, const char *name) {
    for (size_t i = 0; i < l->n; i++)
        if (streq(l->found[i].name, name))
            return l->found[i].standing == GOOD;
    return false;
}

static int note_others(Work *w, const Target *t, const List *l) {
    const size_t foreign = count(l, FOREIGN, false) + count(l, FOREIGN, true),
                 future = count(l, GOOD, true);

    if (foreign > 0)
        TRY(work_note(w,
                      "%zu more with names of this series are there (%s copy), and stay: nothing "
                      "says that this server has made them",
                      foreign, t->role));
    if (future > 0)
        TRY(work_note(w,
                      "%zu more have a time in the future (%s copy), and stay: is the clock right?",
                      future, t->role));
    return 0;
}

static int delete_chosen(Work *w, const Target *t, List *l, const char *newest) {
    if (!has_good(l, newest))
        return work_note(w, "Old backups were not deleted: the storage does not list the new one");
    TRY(choose_good(w, l));
    choose_others(l, newest);
    for (size_t i = 0; i < l->n; i++)
        if (l->found[i].is_deleted)
            TRY(delete_one(w, t, l->found[i].name));
    return note_others(w, t, l);
}

int retain_newest(Work *w, const Target *t, const char *newest) {
    _cleanup_free_ char *text = NULL;
    _cleanup_(list_done) List l = {};
    int r;

    if (!retention_is_set(&w->request.retain))
        return 0;
    r = list_objects(w, t, &l, &text);
    if (r < 0)
        return work_note(w, "Old backups were not deleted: %s", text ?: strerror(-r));
    return delete_chosen(w, t, &l, newest);
}

/* --- names that are the same -------------------------------------------------------------------
 */

static bool needs_own_series(const BackupRequest *q) {
    return retention_is_set(&q->retain) || q->schedule ||
           (q->command == BACKUP_RESTORE_DATA_SOURCE && !q->object);
}

int retain_check_series(Work *w) {
    _cleanup_(catalogue_done) Catalogue c = {};
    const char *name = w->request.data_source;

    if (w->series.kind != SERIES_DATA_SOURCE || !name || !needs_own_series(&w->request))
        return 0;
    if (streq(w->series.prefix + strlen(w->request.service_id), "--"))
        return work_fail(w, "bad-argument",
                         "dataSourceName has neither a letter a-z nor a digit, and nothing else of "
                         "it is in the names of objects: give one that has for retain, schedule "
                         "and the newest backup");
    TRY(catalogue_load(&c));
    for (size_t i = 0; i < c.n; i++) {
        const Record *r = &c.entries[i].record;

        if (streq_ptr(r->series, w->series.id) && r->data_source && !streq(r->data_source, name))
            return work_fail(w, "bad-argument",
                             "dataSourceName: backups of %.*s have the same names as those of "
                             "%.*s, as only letters a-z and digits count; so there can be no "
                             "retain, no schedule and no newest one",
                             UTF8_SHORT(name, 100), UTF8_SHORT(r->data_source, 100));
    }
    return 0;
}
