/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-backup/retain.h"

#include "basic/strv.h"
#include "dcm-backup/object.h"

typedef struct Found {
    char **names;
    uint64_t *times;
    size_t n;
} Found;

static void found_done(Found *f) {
    strv_free(f->names);
    free(f->times);
}

static int take_objects(const Series *s, struct json_object *list, Found *f) {
    const size_t n =
        json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

    f->times = calloc(n + 1, sizeof(uint64_t));
    if (!f->times)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const char *name = json_get_string(json_object_array_get_idx(list, i), "name");
        uint64_t time = 0;

        if (!name || !series_has(s, name, &time))
            continue;
        f->times[f->n] = time;
        TRY(strv_push(&f->names, &f->n, strdup(name)));
    }
    return 0;
}

int retain_list(Work *w, const Target *t, char ***ret_names, uint64_t **ret_times, size_t *ret_n,
                char **ret_text) {
    _cleanup_json_ struct json_object *o = NULL;
    _cleanup_(found_done) Found f = {};
    _cleanup_free_ char *code = NULL;

    TRY(object_call(w, t, (const char *const[]){"list", "--", w->series.prefix, NULL}, &o, &code,
                    ret_text));
    TRY(take_objects(&w->series, json_get(o, "objects"), &f));
    *ret_names = TAKE_PTR(f.names);
    *ret_times = TAKE_PTR(f.times);
    *ret_n = f.n;
    return 0;
}

/* Records of what is nowhere any more go; of two copies both must. */
static int forget(const char *object, const Target *t) {
    _cleanup_(catalogue_done) Catalogue c = {};

    TRY(catalogue_load(&c));
    for (size_t i = 0; i < c.n; i++) {
        Record *r = &c.entries[i].record;
        size_t left = 0;

        if (!streq_ptr(r->object, object))
            continue;
        for (size_t j = 0; j < r->n_copies; j++) {
            if (streq_ptr(r->copies[j].bucket, t->place.bucket) &&
                streq_ptr(r->copies[j].endpoint, t->place.endpoint))
                r->copies[j].is_complete = false;
            left += r->copies[j].is_complete;
        }
        TRY(left > 0 ? catalogue_write(c.entries[i].name, r) : catalogue_remove(c.entries[i].name));
    }
    return 0;
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
    TRY(forget(name, t));
    return work_note(w, "The old backup %s was deleted (%s copy)", name, t->role);
}

static bool has(const Found *f, const char *name) {
    for (size_t i = 0; i < f->n; i++)
        if (streq(f->names[i], name))
            return true;
    return false;
}

int retain_newest(Work *w, const Target *t, const char *newest) {
    _cleanup_free_ char *text = NULL;
    _cleanup_free_ bool *delete = NULL;
    _cleanup_(found_done) Found f = {};
    int r;

    if (!retention_is_set(&w->request.retain))
        return 0;
    r = retain_list(w, t, &f.names, &f.times, &f.n, &text);
    if (r == -EIO)
        return work_note(w, "Old backups were not deleted: %s", strempty(text));
    TRY(r);
    if (!has(&f, newest))
        return work_note(w, "Old backups were not deleted: the storage does not list the new one");
    delete = calloc(f.n + 1, sizeof(bool));
    if (!delete)
        return -ENOMEM;
    retention_choose(&w->request.retain, f.times, f.n, delete);
    for (size_t i = 0; i < f.n; i++)
        if (delete[i] && !streq(f.names[i], newest))
            TRY(delete_one(w, t, f.names[i]));
    return 0;
}
