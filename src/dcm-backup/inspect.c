/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-backup/inspect.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

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

static int add_copy(struct json_object *entry, const char *provider, const char *bucket,
                    bool is_there, uint64_t verified_usec) {
    _cleanup_json_ struct json_object *o = json_object_new_object();

    if (!o)
        return -ENOMEM;
    TRY(json_add_string(o, "provider", provider));
    TRY(json_add_string(o, "bucket", bucket));
    TRY(json_add_bool(o, "is_there", is_there));
    TRY(verified_usec > 0 ? json_add_int(o, "verified", (int64_t)(verified_usec / USEC_PER_SEC))
                          : json_add_null(o, "verified"));
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
        TRY(add_copy(o, r->copies[i].provider, r->copies[i].bucket, r->copies[i].is_complete,
                     r->copies[i].verified_usec));
    return 0;
}

static int add_records(List *l) {
    uint64_t time;

    for (size_t i = 0; i < l->catalogue.n; i++)
        if (is_wanted(l->w, l->catalogue.entries[i].record.object, &time))
            TRY(add_record(l, &l->catalogue.entries[i].record));
    return 0;
}

static uint64_t verified_at(const List *l, const char *object, const Target *t) {
    const Record *r = catalogue_find(&l->catalogue, object);

    for (size_t i = 0; r && i < r->n_copies; i++)
        if (streq_ptr(r->copies[i].bucket, t->place.bucket) &&
            streq_ptr(r->copies[i].endpoint, t->place.endpoint))
            return r->copies[i].verified_usec;
    return 0;
}

static int add_object(List *l, const Target *t, struct json_object *found) {
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
    return add_copy(o, place_kind_name(t->place.kind), t->place.bucket, true,
                    verified_at(l, name, t));
}

static int add_objects(List *l, const Target *t) {
    _cleanup_json_ struct json_object *o = NULL;
    _cleanup_free_ char *code = NULL, *text = NULL, *where = NULL;
    struct json_object *list;
    int r;

    TRY(target_describe(t, &where));
    r = object_call(l->w, t, (const char *const[]){"list", "--", l->w->series.prefix ?: "", NULL},
                    &o, &code, &text);
    if (r == -EIO)
        return work_fail(l->w, code ?: "storage", "The %s copies (%s) cannot be listed: %s",
                         t->role, where, strempty(text));
    TRY(r);
    list = json_get(o, "objects");
    for (size_t i = 0; list && i < json_object_array_length(list); i++)
        TRY(add_object(l, t, json_object_array_get_idx(list, i)));
    return 0;
}

static int list_all(List *l) {
    TRY(catalogue_load(&l->catalogue));
    TRY(add_records(l));
    for (size_t i = 0; i < l->w->n_targets; i++)
        TRY(add_objects(l, &l->w->targets[i]));
    return 0;
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
static int read_back(Work *w, const Target *t, const char *object, Verified *ret) {
    static const char *const cat[] = {"cat", NULL};
    _cleanup_(pipeline_freep) Pipeline *p = pipeline_new(w->deadline_usec);
    _cleanup_close_ int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    const Stage stage = {
        .name = "cat", .argv = cat, .input = STAGE_SINK, .output = STAGE_TO_FD, .out_fd = null};
    int r;

    if (!p)
        return -ENOMEM;
    r = object_add_get(p, t, object, NULL);
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

static RecordCopy *copy_at(Record *r, const Target *t) {
    for (size_t i = 0; r && i < r->n_copies; i++)
        if (streq_ptr(r->copies[i].bucket, t->place.bucket) &&
            streq_ptr(r->copies[i].endpoint, t->place.endpoint))
            return &r->copies[i];
    return NULL;
}

static int compare(Work *w, const Target *t, const char *object, Record *r, const Verified *v) {
    RecordCopy *c = copy_at(r, t);

    if (!r || !r->sha256)
        return work_note(w,
                         "The %s copy of %s can be read: %llu bytes, SHA-256 %s. This server has "
                         "no record of it to compare that with",
                         t->role, object, (unsigned long long)v->size_bytes, v->sha256);
    if (!streq(r->sha256, v->sha256)) {
        if (c) {
            c->verified_usec = 0;
            TRY(free_and_strdup(&c->error, "It is damaged"));
        }
        return work_fail(w, "damaged",
                         "The %s copy of %s is damaged: its SHA-256 is %s instead of %s", t->role,
                         object, v->sha256, r->sha256);
    }
    if (c) {
        c->verified_usec = now_usec(CLOCK_REALTIME);
        TRY(free_and_strdup(&c->error, NULL));
    }
    return work_note(w, "The %s copy of %s is what it was when it was made: SHA-256 %s", t->role,
                     object, v->sha256);
}

static const char *name_of(const Catalogue *c, const Record *r) {
    for (size_t i = 0; i < c->n; i++)
        if (&c->entries[i].record == r)
            return c->entries[i].name;
    return NULL;
}

static int verify(Work *w, Catalogue *c) {
    const Record *newest = w->series.id ? catalogue_newest(c, w->series.id) : NULL;
    const char *object = w->request.object ?: newest ? newest->object : NULL;
    Record *r;
    int k = 0;

    if (!object)
        return work_fail(w, "no-such-object",
                         "There is no record of a backup of %s; say which "
                         "object",
                         w->series.id);
    r = catalogue_find(c, object);
    for (size_t i = 0; i < w->n_targets && (k >= 0 || k == -EIO); i++) {
        Verified v = {};
        int one = read_back(w, &w->targets[i], object, &v);

        if (one >= 0)
            one = compare(w, &w->targets[i], object, r, &v);
        k = k < 0 ? k : one;
    }
    if (r)
        TRY(catalogue_write(name_of(c, r), r));
    return k;
}

int inspect_verify(Work *w) {
    _cleanup_(catalogue_done) Catalogue c = {};
    int r;

    TRY(places_need(w));
    TRY(catalogue_load(&c));
    r = verify(w, &c);
    return r;
}
