/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-backup/send.h"

#include <time.h>

#include "basic/time-util.h"
#include "dcm-backup/catalogue.h"
#include "dcm-backup/object.h"

int send_prepare(const Work *w, Record *r) {
    r->copies = calloc(w->n_targets, sizeof(RecordCopy));
    if (!r->copies)
        return -ENOMEM;
    r->n_copies = w->n_targets;
    for (size_t i = 0; i < w->n_targets; i++)
        TRY(target_to_copy(&w->targets[i], &r->copies[i]));
    return 0;
}

static int take_success(Work *w, const Target *t, struct json_object *result, Record *r,
                        RecordCopy *c) {
    int64_t size;

    c->is_complete = true;
    if (json_object_get_boolean(json_get(result, "readBack")))
        c->verified_usec = now_usec(CLOCK_REALTIME);
    if (json_object_get_boolean(json_get(result, "bucketCreated")))
        TRY(work_note(w, "There was no bucket %s: it was created (%s copy)", t->place.bucket,
                      t->role));
    if (json_to_integer(json_get(result, "size"), &size) >= 0)
        r->size_bytes = (uint64_t)size;
    return free_and_strdup(&r->sha256, json_get_string(result, "sha256"));
}

/* A copy that failed fails the run, but not the other copy. */
static int take_result(Work *w, size_t i, struct json_object *result, const char *problem,
                       const char *code, Record *r) {
    const Target *t = &w->targets[i];
    _cleanup_free_ char *where = NULL;
    char *earlier;
    int k;

    if (result)
        return take_success(w, t, result, r, &r->copies[i]);
    TRY(free_and_strdup(&r->copies[i].error, problem));
    TRY(target_describe(t, &where));
    earlier = TAKE_PTR(w->reply->error_message);
    k = work_fail(w, code ?: "storage", "The %s copy was not made (%s): %s", t->role, where,
                  strempty(problem));
    TRY(work_join_failures(w, earlier));
    return k == -EIO ? 0 : k;
}

/* Both wrote the same bytes; what either says it has must be what went out. */
static int check_hash(Work *w, const Pipeline *p, Record *r) {
    char hex[SHA256_HEX_SIZE];

    pipeline_sha256(p, hex);
    if (!r->sha256 || (streq(r->sha256, hex) && r->size_bytes == pipeline_size(p)))
        return 0;
    for (size_t i = 0; i < r->n_copies; i++)
        r->copies[i].is_complete = false;
    return work_fail(w, "damaged", "The storage has another content than was sent to it");
}

/* A sink that failed by itself says best why; others were killed because something else had. */
static bool has_own_words(const Pipeline *p, int stage) {
    const int status = pipeline_status(p, stage);

    return status > 0 && status < PROCESS_BY_SIGNAL && status != PROCESS_CANNOT_RUN;
}

/* How much a stream will have is not known. The one before had about as much. */
static int guess_size(const Record *r, uint64_t *ret) {
    _cleanup_(catalogue_done) Catalogue c = {};
    const Record *before;

    TRY(catalogue_load(&c));
    before = catalogue_newest(&c, r->series);
    *ret = before ? before->size_bytes : 0;
    return 0;
}

static void on_piece(size_t size, void *userdata) {
    progress_add(userdata, size);
}

int send_count(Pipeline *p, const Record *r, Progress *ret) {
    *ret = (Progress){.to_agent = true, .part = {0, PART_SENT.first}};
    TRY(guess_size(r, &ret->total));
    pipeline_set_counter(p, on_piece, ret);
    return 0;
}

int send_stream(Work *w, Pipeline *p, Record *r) {
    Progress progress;
    int stages[BACKUP_TARGETS_MAX] = {}, k;

    k = send_count(p, r, &progress);
    for (size_t i = 0; i < w->n_targets && k >= 0; i++)
        k = stages[i] =
            object_add_put(p, &w->targets[i], r->object, i == 0 ? PART_SENT : PROGRESS_NONE);
    if (k < 0)
        return k == -ENOMEM ? k : work_fail_pipeline(w, p);
    k = pipeline_run(p);
    for (size_t i = 0; i < w->n_targets; i++) {
        _cleanup_json_ struct json_object *result = NULL;
        _cleanup_free_ char *problem = NULL;

        if (object_put_result(p, stages[i], &result, &problem) < 0 && k < 0 &&
            !has_own_words(p, stages[i]))
            TRY(free_and_strdup(&problem, pipeline_error(p)));
        TRY(take_result(w, i, result, problem, NULL, r));
    }
    return k < 0 ? work_fail_pipeline(w, p) : check_hash(w, p, r);
}

int send_file(Work *w, int fd, ProgressPart part, Record *r) {
    for (size_t i = 0; i < w->n_targets; i++) {
        _cleanup_json_ struct json_object *result = NULL;
        _cleanup_free_ char *code = NULL, *problem = NULL;
        int k;

        k = object_put_file(w, &w->targets[i], fd, r->object, object_part(part, i, w->n_targets),
                            &result, &code, &problem);
        if (k < 0 && k != -EIO)
            return k;
        TRY(take_result(w, i, result, problem, code, r));
    }
    return 0;
}
