/* SPDX-License-Identifier: Apache-2.0 */
/* Proves how the steps of a plan are run: each is in the record before it begins and after it has
 * ended; what is done is not done again; after a failure what this run has done is undone
 * backwards, with the runs before it, and no more; what could not be undone is named, and stays in
 * the record. The steps themselves are made up here. */
#include <glib.h>
#include <glib/gstdio.h>

#include "basic/strv.h"
#include "dcm-volume/record.h"
#include "dcm-volume/run.h"
#include "dcm-volume/step.h"
#include "temporary.h"

/* ---- steps that do as they are told ---- */

static struct {
    GString *log;           /* "format mount !mount": done, and undone */
    StepType fails, sticks; /* the one that fails, the one whose undoing fails; -1: none */
    const char *directory;  /* of records */
    GString *undone;        /* what the record says at the begin of each undoing; NULL: not asked */
} world;

static void assert_recorded(const Work *w, const Step *s, StepState wanted) {
    _cleanup_(plan_done) Plan p = {};
    bool found = false;

    if (!w->directory)
        return;
    g_assert_cmpint(record_read(w->directory, w->plan->id, &p), ==, 0);
    for (size_t i = 0; i < p.n_steps; i++)
        if (p.steps[i].type == s->type) {
            g_assert_cmpint(p.steps[i].state, ==, wanted);
            found = true;
        }
    g_assert_true(found);
}

int step_do(Work *w, const Step *s) {
    g_string_append_printf(world.log, "%s%s", world.log->len > 0 ? " " : "",
                           step_type_to_string(s->type));
    assert_recorded(w, s, STEP_BEGUN);
    g_assert_true(w->done_now[s - w->plan->steps]);
    return s->type == world.fails ? work_fail(w, "no %s", step_type_to_string(s->type)) : 0;
}

static char *recorded(void);

int step_undo(Work *w, const Step *s) {
    g_autofree char *found = world.undone ? recorded() : NULL;

    if (found)
        g_string_append_printf(world.undone, "%s ", found);
    g_string_append_printf(world.log, " !%s", step_type_to_string(s->type));
    /* a cut from here on leaves what the repeated request can go on from; what was wiped is lost */
    assert_recorded(w, s, s->type == STEP_WIPE ? s->state : STEP_BEGUN);
    return s->type == world.sticks ? work_fail(w, "%s is left", step_type_to_string(s->type)) : 0;
}

bool step_writes(const Step *s) {
    return s->type == STEP_FORMAT;
}

const char *step_describe(StepType t) {
    return step_type_to_string(t);
}

/* ---- runs ---- */

#define ALL "format directory fstab mount"
static const StepType types[] = {STEP_FORMAT, STEP_DIRECTORY, STEP_FSTAB, STEP_MOUNT};

static void world_init(const char *directory) {
    if (world.log)
        g_string_free(world.log, TRUE);
    world.log = g_string_new(NULL);
    if (world.undone)
        g_string_free(world.undone, TRUE);
    world.undone = NULL;
    world.fails = world.sticks = (StepType)-1;
    world.directory = directory;
}

static void assert_log(const char *wanted) {
    g_assert_cmpstr(world.log->str, ==, wanted);
    g_string_truncate(world.log, 0);
}

static void work_make(Work *w, const char *directory, const StepType *list, size_t n) {
    *w = (Work){.key_fd = -1, .directory = directory, .plan = calloc(1, sizeof(Plan))};
    memset(w->plan->id, 'a', VOLUME_ID_SIZE - 1);
    w->plan->request.mount_point = strdup("/data");
    w->plan->request.fs_type = strdup("ext4");
    w->plan->request.raid_level = -1;
    w->plan->steps = calloc(n, sizeof(Step));
    w->plan->n_steps = n;
    for (size_t i = 0; i < n; i++)
        w->plan->steps[i].type = list[i];
}

/* The states in the record, as "++~."; NULL: there is none. */
static char *recorded(void) {
    _cleanup_(plan_done) Plan p = {};
    char id[VOLUME_ID_SIZE] = "";
    GString *s;

    memset(id, 'a', VOLUME_ID_SIZE - 1);
    if (record_read(world.directory, id, &p) == -ENOENT)
        return NULL;
    s = g_string_new(NULL);
    for (size_t i = 0; i < p.n_steps; i++)
        g_string_append_c(s, ".~+"[p.steps[i].state]);
    if (p.complete)
        g_string_append(s, " =");
    return g_string_free(s, FALSE);
}

static void assert_record(const char *wanted) {
    g_autofree char *found = recorded();

    g_assert_cmpstr(found, ==, wanted);
}

static void test_all(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    _cleanup_(work_done) Work w = {}, again = {};
    _cleanup_(reply_done) Reply reply = {};

    world_init(dir);
    work_make(&w, dir, types, ELEMENTSOF(types));
    g_assert_cmpint(work_note(&w, "a note"), ==, 0);
    g_assert_cmpint(run_plan(&w, &reply), ==, 0);
    g_assert_cmpint(reply.status, ==, 0);
    g_assert_cmpstr(reply.message, ==, "a note\n");
    assert_log(ALL);
    assert_record("++++ =");
    /* what is done is not done again */
    work_make(&again, dir, types, ELEMENTSOF(types));
    again.plan->steps[0].state = again.plan->steps[2].state = STEP_DONE;
    again.plan->more = true;
    g_assert_cmpint(run_plan(&again, &reply), ==, 0);
    assert_log("directory mount");
    assert_record("++++");
}

/* Whichever step fails: backwards, with itself, since it may have done a part. */
static void test_failure(void) {
    static const struct {
        StepType fails;
        const char *log;
    } rows[] = {{STEP_FORMAT, "format !format"},
                {STEP_DIRECTORY, "format directory !directory !format"},
                {STEP_FSTAB, "format directory fstab !fstab !directory !format"},
                {STEP_MOUNT, ALL " !mount !fstab !directory !format"}};

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        _cleanup_temporary_ char *dir = temporary_new();
        _cleanup_(work_done) Work w = {};
        _cleanup_(reply_done) Reply reply = {};
        g_autofree char *text = g_strdup_printf("no %s. What was done has been undone.",
                                                step_type_to_string(rows[i].fails));

        world_init(dir);
        world.fails = rows[i].fails;
        work_make(&w, dir, types, ELEMENTSOF(types));
        g_assert_cmpint(run_plan(&w, &reply), ==, 0);
        assert_log(rows[i].log);
        g_assert_cmpint(reply.status, ==, REPLY_FAILED);
        g_assert_cmpstr(reply.error_message, ==, text);
        assert_record(NULL);
    }
}

/* What an earlier run has done stays, and so does the record of it. */
static void test_failure_of_the_rest(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    _cleanup_(work_done) Work w = {};
    _cleanup_(reply_done) Reply reply = {};

    world_init(dir);
    world.fails = STEP_MOUNT;
    work_make(&w, dir, types, ELEMENTSOF(types));
    w.plan->steps[0].state = w.plan->steps[1].state = STEP_DONE;
    g_assert_cmpint(run_plan(&w, &reply), ==, 0);
    assert_log("fstab mount !mount !fstab");
    assert_record("++..");
}

static void test_undo_fails(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    _cleanup_(work_done) Work w = {};
    _cleanup_(reply_done) Reply reply = {};

    world_init(dir);
    world.fails = STEP_MOUNT;
    world.sticks = STEP_FSTAB;
    work_make(&w, dir, types, ELEMENTSOF(types));
    g_assert_cmpint(run_plan(&w, &reply), ==, 0);
    assert_log(ALL " !mount !fstab !directory !format");
    g_assert_cmpstr(reply.error_message, ==,
                    "no mount. Not everything could be undone: fstab is left.");
    assert_record("..+.");
}

/* The plan that was to follow is refused: both runs are undone, the later one first. */
static void test_give_up(void) {
    static const StepType lower[] = {STEP_RAID_ASSEMBLE},
                          upper[] = {STEP_RAID_ASSEMBLE, STEP_LUKS_OPEN};
    _cleanup_temporary_ char *dir = temporary_new();
    _cleanup_(work_done) Work first = {}, second = {};
    _cleanup_(reply_done) Reply reply = {};

    world_init(dir);
    work_make(&first, dir, lower, 1);
    work_make(&second, dir, upper, 2);
    second.plan->steps[0].state = STEP_DONE;
    second.before = &first;
    g_assert_cmpint(run_plan(&first, &reply), ==, 0);
    g_assert_cmpint(run_plan(&second, &reply), ==, 0);
    g_assert_cmpint(reply_set_error(&reply, REPLY_REFUSED, "file-system", "it holds xfs"), ==, 0);
    g_assert_cmpint(run_give_up(&second, &reply), ==, 0);
    assert_log("raid-assemble luks-open !luks-open !raid-assemble");
    g_assert_cmpstr(reply.error_message, ==, "it holds xfs");
    g_assert_cmpint(reply.status, ==, REPLY_REFUSED);
    assert_record(NULL);
}

static void test_give_up_fails(void) {
    static const StepType lower[] = {STEP_RAID_ASSEMBLE};
    _cleanup_temporary_ char *dir = temporary_new();
    _cleanup_(work_done) Work w = {};
    _cleanup_(reply_done) Reply reply = {};

    world_init(dir);
    world.sticks = STEP_RAID_ASSEMBLE;
    work_make(&w, dir, lower, 1);
    g_assert_cmpint(run_plan(&w, &reply), ==, 0);
    g_assert_cmpint(reply_set_error(&reply, REPLY_REFUSED, "file-system", "it holds xfs"), ==, 0);
    g_assert_cmpint(run_give_up(&w, &reply), ==, 0);
    g_assert_cmpstr(reply.error_message, ==,
                    "it holds xfs. Not everything could be undone: raid-assemble is left.");
    g_assert_cmpstr(json_get_string(reply.object, "code"), ==, "file-system");
    g_assert_cmpint(reply.status, ==, REPLY_FAILED); /* not: refused, nothing was changed */
    assert_record("+");
}

/* What is undone already is so in the record, too, whatever comes next. */
static void test_undo_is_recorded(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    _cleanup_(work_done) Work w = {};
    _cleanup_(reply_done) Reply reply = {};

    world_init(dir);
    world.fails = STEP_MOUNT;
    world.undone = g_string_new(NULL);
    work_make(&w, dir, types, ELEMENTSOF(types));
    g_assert_cmpint(run_plan(&w, &reply), ==, 0);
    g_assert_cmpstr(world.undone->str, ==, "+++~ ++~. +~.. ~... ");
    assert_record(NULL);
}

/* Disks that were wiped and hold nothing new are free for any request. */
static void test_wiped(void) {
    static const StepType list[] = {STEP_WIPE, STEP_FORMAT};
    static const struct {
        StepType fails;
        const char *log, *record;
    } rows[] = {{STEP_FORMAT, "wipe format !format !wipe", NULL}, {STEP_WIPE, "wipe !wipe", "~."}};

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        _cleanup_temporary_ char *dir = temporary_new();
        _cleanup_(work_done) Work w = {};
        _cleanup_(reply_done) Reply reply = {};

        world_init(dir);
        world.fails = rows[i].fails;
        world.sticks = STEP_WIPE;
        work_make(&w, dir, list, ELEMENTSOF(list));
        g_assert_cmpint(run_plan(&w, &reply), ==, 0);
        assert_log(rows[i].log);
        g_assert_nonnull(strstr(reply.error_message, "wipe is left"));
        assert_record(rows[i].record);
    }
}

/* What an earlier run has done, and this one did not come to, is not forgotten. */
static void test_failure_before_the_rest(void) {
    static const StepType list[] = {STEP_LUKS_OPEN};
    _cleanup_temporary_ char *dir = temporary_new();
    _cleanup_(work_done) Work w = {};
    _cleanup_(reply_done) Reply reply = {};

    world_init(dir);
    world.fails = STEP_LUKS_OPEN;
    work_make(&w, dir, list, ELEMENTSOF(list));
    w.plan->later = calloc(1, sizeof(Step));
    w.plan->n_later = 1;
    w.plan->later[0] = (Step){.type = STEP_SEAL_KEY, .state = STEP_DONE};
    g_assert_cmpint(run_plan(&w, &reply), ==, 0);
    assert_log("luks-open !luks-open");
    assert_record(".");
}

/* Unmounting has no record and no way back: what it has done is named. */
static void test_without_record(void) {
    static const StepType list[] = {STEP_UNMOUNT, STEP_LUKS_CLOSE, STEP_FSTAB_REMOVE};
    static const struct {
        StepType fails;
        const char *log, *text;
    } rows[] = {
        {STEP_UNMOUNT, "unmount", "no unmount."},
        {STEP_LUKS_CLOSE, "unmount luks-close",
         "no luks-close. Done before that: unmount. Repeat the request, and it goes on from "
         "there."},
        {STEP_FSTAB_REMOVE, "unmount luks-close fstab-remove",
         "no fstab-remove. Done before that: unmount; luks-close. Repeat the request, and it goes "
         "on from "
         "there."},
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        _cleanup_(work_done) Work w = {};
        _cleanup_(reply_done) Reply reply = {};

        world_init(NULL);
        world.fails = rows[i].fails;
        work_make(&w, NULL, list, ELEMENTSOF(list));
        g_assert_cmpint(work_note(&w, "web.service was stopped"), ==, 0);
        g_assert_cmpint(run_plan(&w, &reply), ==, 0);
        assert_log(rows[i].log);
        g_assert_cmpstr(reply.error_message, ==, rows[i].text);
        g_assert_cmpstr(reply.message, ==, "web.service was stopped\n");
    }
}

/* Without a record nothing is written: the step does not begin. */
static void test_record_that_cannot_be_written(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    g_autofree char *file = g_build_filename(dir, "file", NULL);
    _cleanup_(work_done) Work w = {};
    _cleanup_(reply_done) Reply reply = {};

    temporary_write(dir, "file", "x", 1);
    world_init(file);
    work_make(&w, file, types, ELEMENTSOF(types));
    g_assert_cmpint(run_plan(&w, &reply), ==, 0);
    assert_log("");
    g_assert_cmpint(reply.status, ==, REPLY_FAILED);
    g_assert_nonnull(strstr(reply.error_message, "The record in "));
    g_assert_nonnull(strstr(reply.error_message, "cannot be written: Not a directory"));
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/volume-run/all", test_all);
    g_test_add_func("/volume-run/failure", test_failure);
    g_test_add_func("/volume-run/failure-of-the-rest", test_failure_of_the_rest);
    g_test_add_func("/volume-run/undo-fails", test_undo_fails);
    g_test_add_func("/volume-run/give-up", test_give_up);
    g_test_add_func("/volume-run/give-up-fails", test_give_up_fails);
    g_test_add_func("/volume-run/undo-is-recorded", test_undo_is_recorded);
    g_test_add_func("/volume-run/wiped", test_wiped);
    g_test_add_func("/volume-run/failure-before-the-rest", test_failure_before_the_rest);
    g_test_add_func("/volume-run/without-record", test_without_record);
    g_test_add_func("/volume-run/record-that-cannot-be-written",
                    test_record_that_cannot_be_written);
    return g_test_run();
}
