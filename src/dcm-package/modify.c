/* SPDX-License-Identifier: Apache-2.0 */
/* Look, then act: repair what was left, fetch the lists, have the package manager plan it, check
 * the plan, do it, and see what has changed. */
#include "dcm-package/modify.h"

#include <stdio.h>

#include "dcm-package/after.h"
#include "dcm-package/progress.h"
#include "dcm-package/tool.h"

#define CHANGES "package_changes"

/* --- before --------------------------------------------------------------------------------- */

static int check_cancelled(Work *w) {
    return tool_is_cancelled() ? work_fail(w, REPLY_FAILED, "cancelled",
                                           "The command was asked to end; nothing was changed")
                               : 0;
}

static int check_names(Work *w) {
    for (size_t i = 0; i < w->request.n; i++)
        TRY(work_check_package(w, w->request.names[i], false));
    return 0;
}

/* A dry run changes nothing, so it neither repairs nor fetches. */
static int prepare(Work *w, PackageChangeKind kind, bool refresh) {
    TRY(work_check_kind(w, kind));
    TRY(check_names(w));
    if (w->request.dry_run)
        return 0;
    TRY(work_wait_locks(w));
    w->percent_to = 10;
    TRY(w->backend->repair(w));
    TRY(check_cancelled(w));
    w->percent_from = 2;
    if (refresh)
        TRY(w->backend->refresh(w, NULL));
    return check_cancelled(w);
}

static int check_removal(Work *w, const PackageChange *c) {
    const char *dependent = package_find_dependent(c->name, w->release);

    return dependent ? work_fail(w, REPLY_REFUSED, "protected",
                                 "This would remove %s, which %s needs; nothing was changed",
                                 c->name, dependent)
                     : 0;
}

/* apt-get refuses by itself. */
static int check_downgrade(Work *w, const PackageChange *c) {
    return c->is_downgrade && !w->request.allow_downgrade
               ? work_fail(w, REPLY_REFUSED, "failed",
                           "This would downgrade %s from %s to %s, for which allow_downgrade must "
                           "be true; nothing was changed",
                           c->name, strempty(c->from), strempty(c->to))
               : 0;
}

/* Of kernels a few versions are kept: the oldest one goes when a new one comes. */
static bool leaves_another(const PackageChanges *plan, const PackageChange *c) {
    for (size_t i = 0; i < plan->n; i++)
        if (plan->items[i].to && streq(plan->items[i].name, c->name))
            return true;
    return false;
}

static int check_plan(Work *w, const PackageChanges *plan, bool *ret_removes) {
    *ret_removes = false;
    for (size_t i = 0; i < plan->n; i++) {
        const PackageChange *c = &plan->items[i];

        TRY(work_check_package(w, c->name, !c->from));
        TRY(check_downgrade(w, c));
        if (!c->to && !leaves_another(plan, c)) {
            TRY(check_removal(w, c));
            *ret_removes = true;
        }
    }
    return *ret_removes ? work_check_kind(w, PACKAGE_CHANGE_REMOVE) : 0;
}

/* --- after ---------------------------------------------------------------------------------- */

static int add_changes(Work *w, const PackageChanges *changes) {
    struct json_object *array = NULL, *o;

    TRY(work_get_object(w, CHANGES, &o));
    TRY(package_changes_to_json(changes, &array));
    TRY(json_add(o, "changes", array));
    return json_add_bool(o, "dry_run", w->request.dry_run);
}

static int tell_nothing(Work *w, const PackageChanges *changes) {
    return changes->n > 0 ? 0 : reply_add_line(w->reply, "Nothing was to be done.");
}

/* Whether a reboot was due before does not matter: it is due. */
static int add_surroundings(Work *w, struct json_object *marks, const PackageList *after) {
    struct json_object *o, *array = NULL, *services = NULL, *reboot = NULL;

    TRY(work_get_object(w, CHANGES, &o));
    TRY(after_find_conffiles(marks, &array));
    TRY(json_add(o, "kept_files", array));
    TRY(after_find_services(&services));
    TRY(json_add(o, "services", services));
    if (w->request.restart_services && w->reply->status == 0) {
        TRY(after_restart_services(w, services, &array));
        TRY(json_add(o, "restarted", array));
    }
    TRY(after_find_reboot(w, after, &reboot));
    TRY(json_add_bool(o, "reboot_required", json_object_get_boolean(json_get(reboot, "required"))));
    (void)json_object_put(reboot);
    return 0;
}

/* Also after a failure: what was done until then. `r`: of what was done; -EINVAL: the reply says
 * why it has failed. */
static int finish(Work *w, int r, struct json_object *marks, const PackageList *before) {
    _cleanup_(package_list_done) PackageList after = {};
    _cleanup_(package_changes_done) PackageChanges changes = {};

    if (r < 0 && r != -EINVAL)
        return r;
    TRY(w->backend->list(w, &after));
    TRY(package_changes_compare(before, &after, &changes));
    TRY(add_changes(w, &changes));
    TRY(add_surroundings(w, marks, &after));
    if (r >= 0)
        TRY(tell_nothing(w, &changes));
    if (r >= 0)
        progress_tell(100, "done");
    return r;
}

/* The package manager plans once more. If another program has come in between, nothing is removed
 * that nobody has checked. */
static int apply(Work *w, const Words *a, const PackageList *before, bool may_remove) {
    _cleanup_json_ struct json_object *marks = NULL;

    TRY(after_mark_conffiles(&marks));
    w->percent_from = 10;
    w->percent_to = 97;
    return finish(w, w->backend->apply(w, a, may_remove), marks, before);
}

/* Plans, checks, and does it. */
static int carry_out(Work *w, Words *a, const PackageList *before) {
    _cleanup_(package_changes_done) PackageChanges plan = {};
    bool removes;

    TRY(w->backend->simulate(w, before, a, &plan));
    TRY(check_plan(w, &plan, &removes));
    TRY(check_cancelled(w));
    if (!w->request.dry_run && plan.n > 0)
        return apply(w, a, before, removes);
    TRY(add_changes(w, &plan));
    return tell_nothing(w, &plan);
}

/* No words: nothing is to be done. */
static int run(Work *w, Words *a, const PackageList *before) {
    if (a->n > 0)
        return carry_out(w, a, before);
    TRY(add_changes(w, &(PackageChanges){}));
    return tell_nothing(w, &(PackageChanges){});
}

/* --- install, remove, update ---------------------------------------------------------------- */

int modify_install(Work *w) {
    _cleanup_(package_list_done) PackageList before = {};
    _cleanup_(words_done) Words a = {};

    TRY(prepare(w, PACKAGE_CHANGE_INSTALL, w->request.refresh));
    TRY(w->backend->list(w, &before));
    TRY(w->backend->word_install(w, &before, &a));
    return run(w, &a, &before);
}

/* Also where the package manager would not even plan it. */
static int check_named_removals(Work *w, const PackageList *before) {
    for (size_t i = 0; i < w->request.n; i++) {
        const Package *p = package_list_find(before, w->request.names[i]);

        if (p)
            TRY(check_removal(w, &(PackageChange){.name = p->name}));
    }
    return 0;
}

static bool has_any(const PackageRequest *q, const PackageList *l) {
    for (size_t i = 0; i < q->n; i++)
        if (package_list_find(l, q->names[i]))
            return true;
    return false;
}

int modify_remove(Work *w) {
    _cleanup_(package_list_done) PackageList before = {};
    _cleanup_(words_done) Words a = {};

    TRY(prepare(w, PACKAGE_CHANGE_REMOVE, false));
    TRY(w->backend->list(w, &before));
    TRY(check_named_removals(w, &before));
    if (has_any(&w->request, &before))
        TRY(w->backend->word_remove(w, &before, &a));
    return run(w, &a, &before);
}

static int check_installed(Work *w, const PackageList *before) {
    for (size_t i = 0; i < w->request.n; i++)
        if (!package_list_find(before, w->request.names[i]))
            return work_fail(w, REPLY_REFUSED, "missing",
                             "%s is not installed, so it cannot be updated; nothing was changed",
                             w->request.names[i]);
    return 0;
}

int modify_update(Work *w) {
    _cleanup_(package_list_done) PackageList before = {};
    _cleanup_(words_done) Words a = {};

    TRY(prepare(w, PACKAGE_CHANGE_UPDATE, w->request.refresh));
    TRY(w->backend->list(w, &before));
    TRY(check_installed(w, &before));
    TRY(w->backend->word_update(w, &before, &a));
    return run(w, &a, &before);
}

/* --- hold ----------------------------------------------------------------------------------- */

static int list_held(Work *w, struct json_object **ret) {
    _cleanup_json_ struct json_object *array = json_object_new_array();
    _cleanup_(package_list_done) PackageList l = {};

    if (!array)
        return -ENOMEM;
    TRY(w->backend->list(w, &l));
    for (size_t i = 0; i < l.n; i++) {
        struct json_object *name =
            l.items[i].is_held ? json_object_new_string(l.items[i].name) : NULL;

        if (l.items[i].is_held && (!name || json_object_array_add(array, name) < 0)) {
            (void)json_object_put(name);
            return -ENOMEM;
        }
    }
    *ret = TAKE_PTR(array);
    return 0;
}

int modify_hold(Work *w) {
    _cleanup_(package_list_done) PackageList before = {};
    _cleanup_json_ struct json_object *held = NULL;
    struct json_object *o;

    TRY(prepare(w, PACKAGE_CHANGE_HOLD, false));
    TRY(w->backend->list(w, &before));
    TRY(check_installed(w, &before));
    if (!w->request.dry_run)
        TRY(w->backend->hold(w, &before));
    TRY(list_held(w, &held));
    TRY(work_get_object(w, "package_holds", &o));
    TRY(json_add(o, "held", TAKE_PTR(held)));
    return json_add_bool(o, "dry_run", w->request.dry_run);
}
