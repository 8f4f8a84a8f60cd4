/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-backup/inspect.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/time-util.h"
#include "dcm-backup/catalogue.h"
#include "dcm-backup/object.h"
#include "dcm-backup/places.h"

/* --- list_backups ------------------------------------------------------------------------------
 */

typedef struct List {
    Work *w;
    Catalogue catalogue;
    struct json_object *array;
} List;

static bool is_wanted(const Work *w, const char *object, uint64_t *ret_usec) {
    return !w->series.id || series_has(&w->series, object, ret_usec);
}

static int add_entry(List *l, const char *object, struct json_object **ret) {
    struct json_object *o;

    for (size_t i = 0; i < json_object_array_length(l->array); i++) {
        o = json_object_array_get_idx(l->array, i);
        if (streq_ptr(json_get_string(o, "object"), object)) {
            *ret = o;
            return 0;
        }
    }
    o = json_object_new_object();
    if (!o || json_object_array_add(l->array, o) < 0) {
        (void)json_object_put(o);
        return -ENOMEM;
    }
    *ret = o;
    TRY(json_add_string(o, "object", object));
    return json_add(o, "copies", json_object_new_array());
}

static int add_copy(struct json_object *entry, const RecordCopy *c, bool is_there) {
    _cleanup_json_ struct json_object *o = json_object_new_object();

    if (!o)
        return -ENOMEM;
    TRY(json_add_string(o, "provider", c->provider));
    TRY(json_add_string(o, "bucket", c->bucket));
    TRY(json_add_bool(o, "is_there", is_there));
    TRY(c->verified_usec > 0
            ? json_add_int(o, "verified", (int64_t)(c->verified_usec / USEC_PER_SEC))
            : json_add_null(o, "verified"));
    if (c->error)
        TRY(json_add_string(o, "error", c->error));
    return json_object_array_add(json_get(entry, "copies"), TAKE_PTR(o)) < 0 ? -ENOMEM : 0;
}

static int add_time(struct json_object *o, uint64_t time_usec) {
    const uint64_t now = now_usec(CLOCK_REALTIME);

    TRY(json_add_int(o, "time", (int64_t)(time_usec / USEC_PER_SEC)));
    return json_add_int(o, "age",
                        now > time_usec ? (int64_t)((now - time_usec) / USEC_PER_SEC) : 0);
}

static int add_record(List *l, const Record *r) {
    struct json_object *o = NULL;

    TRY(add_entry(l, r->object, &o));
    TRY(json_add_string(o, "series", r->series));
    TRY(json_add_string(o, "outcome", record_outcome_names[r->outcome]));
    TRY(add_time(o, r->begin_usec));
    TRY(json_add_int(o, "size", (int64_t)r->size_bytes));
    TRY(json_add_string(o, "sha256", r->sha256));
    TRY(json_add_bool(o, "encrypted", r->recipients != NULL));
    if (r->error)
        TRY(json_add_string(o, "error", r->error));
    if (l->w->n_targets > 0) /* the storage itself is asked */
        return 0;
    for (size_t i = 0; i < r->n_copies; i++)
        TRY(add_copy(o, &r->copies[i], r->copies[i].is_complete));
    return 0;
}

static int add_records(List *l) {
    uint64_t time;

    for (size_t i = 0; i < l->catalogue.n; i++)
        if (is_wanted(l->w, l->catalogue.entries[i].record.object, &time))
            TRY(add_record(l, &l->catalogue.entries[i].record));
    return 0;
}

/* What the catalogue knows of it, or only where it is. */
static const RecordCopy *known_at(const List *l, const char *object, const RecordCopy *at) {
    const CatalogueEntry *e = catalogue_find(&l->catalogue, object);

    return (e ? record_find_copy(&e->record, at) : NULL) ?: at;
}

static int add_object(List *l, const RecordCopy *at, struct json_object *found) {
    const char *name = json_get_string(found, "name");
    struct json_object *o = NULL;
    uint64_t time = 0;

    if (!name || !is_wanted(l->w, name, &time))
        return 0;
    TRY(add_entry(l, name, &o));
    if (!json_get(o, "size"))
        TRY(json_add(o, "size", json_object_get(json_get(found, "size"))));
    if (!json_get(o, "time") && time > 0)
        TRY(add_time(o, time));
    return add_copy(o, known_at(l, name, at), true);
}

static int add_all(List *l, const Target *t, struct json_object *list) {
    RecordCopy at = {};
    int r;

    r = target_to_copy(t, &at);
    for (size_t i = 0; r >= 0 && list && i < json_object_array_length(list); i++)
        r = add_object(l, &at, json_object_array_get_idx(list, i));
    record_copy_done(&at);
    return r;
}

static int add_objects(List *l, const Target *t) {
    _cleanup_json_ struct json_object *o = NULL;
    _cleanup_free_ char *code = NULL, *text = NULL, *where = NULL;
    int r;

    TRY(target_describe(t, &where));
    r = object_call(l->w, t, (const char *const[]){"list", "--", l->w->series.prefix ?: "", NULL},
                    &o, &code, &text);
    if (r == -EIO)
        return work_fail(l->w, code ?: "storage", "The %s copies (%s) cannot be listed: %s",
                         t->role, where, strempty(text));
    TRY(r);
    return add_all(l, t, json_get(o, "objects"));
}

static int compare_times(const void *a, const void *b) {
    int64_t x = 0, y = 0;

    (void)json_to_integer(json_get(*(struct json_object *const *)a, "time"), &x);
    (void)json_to_integer(json_get(*(struct json_object *const *)b, "time"), &y);
    return x < y ? -1 : x > y;
}

/* A reply has its limit, beyond which it would be no JSON. */
static int keep_newest(List *l) {
    const size_t n = json_object_array_length(l->array);

    if (n <= BACKUP_LISTED_MAX)
        return 0;
    json_object_array_sort(l->array, compare_times);
    if (json_object_array_del_idx(l->array, 0, n - BACKUP_LISTED_MAX) < 0)
        return -ENOMEM;
    return work_note(l->w, "These are the newest %u; %zu are older. Name a series to see fewer",
                     BACKUP_LISTED_MAX, n - BACKUP_LISTED_MAX);
}

static int list_all(List *l) {
    TRY(catalogue_load(&l->catalogue));
    TRY(add_records(l));
    for (size_t i = 0; i < l->w->n_targets; i++)
        TRY(add_objects(l, &l->w->targets[i]));
    return keep_newest(l);
}

int inspect_list(Work *w) {
    List l = {.w = w, .array = json_object_new_array()};
    int r;

    if (!l.array)
        return -ENOMEM;
    r = list_all(&l);
    catalogue_done(&l.catalogue);
    if (r < 0) {
        (void)json_object_put(l.array);
        return r;
    }
    w->reply->reply_type = "backups";
    w->reply->object = l.array;
    return 0;
}

/* --- verify_backup -----------------------------------------------------------------------------
 */

typedef struct Verified {
    char sha256[SHA256_HEX_SIZE];
    uint64_t size_bytes;
} Verified;

/* The pipeline counts and hashes what it hands to its sink. */
static int read_back(Work *w, const Target *t, const char *object, ProgressPart part,
                     Verified *ret) {
    static const char *const cat[] = {"cat", NULL};
    _cleanup_(pipeline_freep) Pipeline *p = pipeline_new(w->deadline_usec);
    _cleanup_close_ int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    const Stage stage = {
        .name = "cat", .argv = cat, .input = STAGE_SINK, .output = STAGE_TO_FD, .out_fd = null};
    int r;

    if (!p)
        return -ENOMEM;
    r = object_add_get(p, t, object, NULL, part);
    if (r >= 0)
        r = pipeline_add(p, &stage);
    if (r >= 0)
        r = pipeline_run(p);
    if (r < 0)
        return r == -ENOMEM ? r : object_fail_get(w, p);
    pipeline_sha256(p, ret->sha256);
    ret->size_bytes = pipeline_size(p);
    return 0;
}

/* Of one copy, for the catalogue. */
typedef struct Finding {
    RecordCopy at;
    bool is_good;
} Finding;

static int note_finding(Record *r, void *userdata) {
    const Finding *f = userdata;
    RecordCopy *c = record_find_copy(r, &f->at);

    if (!c)
        return RECORD_KEEP;
    c->verified_usec = f->is_good ? now_usec(CLOCK_REALTIME) : 0;
    TRY(free_and_strdup(&c->error, f->is_good ? NULL : "It is damaged"));
    return RECORD_WRITE;
}

/* That it cannot be noted does not change what was found. */
static int keep_finding(Work *w, const Target *t, const char *name, bool is_good) {
    Finding f = {.is_good = is_good};
    int r;

    r = target_to_copy(t, &f.at);
    if (r >= 0)
        r = catalogue_change(name, note_finding, &f);
    record_copy_done(&f.at);
    return r < 0 && r != -ENOENT ? work_note(w, "That cannot be noted here: %s", strerror(-r)) : 0;
}

static int compare(Work *w, const Target *t, const char *object, const CatalogueEntry *e,
                   const Verified *v) {
    if (!e || !e->record.sha256)
        return work_note(w,
                         "The %s copy of %s can be read: %llu bytes, SHA-256 %s. This server has "
                         "no record of it to compare that with",
                         t->role, object, (unsigned long long)v->size_bytes, v->sha256);
    TRY(keep_finding(w, t, e->name, streq(e->record.sha256, v->sha256)));
    if (!streq(e->record.sha256, v->sha256))
        return work_fail(w, "damaged",
                         "The %s copy of %s is damaged: its SHA-256 is %s instead of %s", t->role,
                         object, v->sha256, e->record.sha256);
    return work_note(w, "The %s copy of %s is what it was when it was made: SHA-256 %s", t->role,
                     object, v->sha256);
}

static int verify_one(Work *w, size_t i, const char *object, const CatalogueEntry *e) {
    Verified v = {};

    TRY(read_back(w, &w->targets[i], object, object_part(PROGRESS_ALL, i, w->n_targets), &v));
    return compare(w, &w->targets[i], object, e, &v);
}

/* Each copy, whatever is found of the other. */
static int verify_all(Work *w, const char *object, const CatalogueEntry *e) {
    int k = 0;

    for (size_t i = 0; i < w->n_targets; i++) {
        char *earlier = TAKE_PTR(w->reply->error_message);
        const int r = verify_one(w, i, object, e);

        TRY(work_join_failures(w, earlier));
        if (r < 0 && r != -EIO)
            return r;
        k = MIN(k, r);
    }
    return k;
}

int inspect_verify(Work *w) {
    _cleanup_(catalogue_done) Catalogue c = {};
    const Record *newest;
    const char *object;

    TRY(places_need(w));
    TRY(catalogue_load(&c));
    newest = w->series.id ? catalogue_newest(&c, w->series.id) : NULL;
    object = w->request.object ?: newest ? newest->object : NULL;
    if (!object)
        return work_fail(w, "no-such-object",
                         "There is no record of a backup of %s; say which object", w->series.id);
    return verify_all(w, object, catalogue_find(&c, object));
}
