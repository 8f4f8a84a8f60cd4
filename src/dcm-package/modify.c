/* SPDX-License-Identifier: Apache-2.0 */
/* Look, then act: repair what was left, fetch the lists, have apt-get plan it, check the plan, do
 * it, and see what has changed. */
#include "dcm-package/modify.h"

#include <stdio.h>

#include "basic/strv.h"
#include "basic/time-util.h"
#include "dcm-package/after.h"
#include "dcm-package/apt.h"
#include "dcm-package/progress.h"
#include "dcm-package/tool.h"

/* Words for apt-get. */
typedef struct Words {
    char **words;
    size_t n;
} Words;

static void words_done(Words *a) {
    strv_free(a->words);
    *a = (Words){};
}

static const char *const *words_get(const Words *a) {
    return (const char *const *)a->words;
}

static int add_word(Words *a, const char *word) {
    return strv_push(&a->words, &a->n, strdup(word));
}

static int add_version(Words *a, const char *name, const char *version) {
    char *text;

    return isempty(version)                              ? add_word(a, name)
           : asprintf(&text, "%s=%s", name, version) < 0 ? -ENOMEM
                                                         : strv_push(&a->words, &a->n, text);
}

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
    TRY(apt_repair(w));
    TRY(check_cancelled(w));
    w->percent_from = 2;
    if (refresh)
        TRY(apt_refresh(w, NULL));
    return check_cancelled(w);
}

static bool is_removal(const PackageChange *c) {
    return !c->to;
}

static int check_removal(Work *w, const PackageChange *c) {
    const char *dependent = package_find_dependent(c->name, w->release);

    return dependent ? work_fail(w, REPLY_REFUSED, "protected",
                                 "This would remove %s, which %s needs; nothing was changed",
                                 c->name, dependent)
                     : 0;
}

static int check_plan(Work *w, const PackageChanges *plan, bool *ret_removes) {
    *ret_removes = false;
    for (size_t i = 0; i < plan->n; i++) {
        const PackageChange *c = &plan->items[i];

        TRY(work_check_package(w, c->name, !c->from));
        if (is_removal(c)) {
            TRY(check_removal(w, c));
            *ret_removes = true;
        }
    }
    return *ret_removes ? work_check_kind(w, PACKAGE_CHANGE_REMOVE) : 0;
}

/* --- after ---------------------------------------------------------------------------------- */

static int object_of(Work *w, struct json_object **ret) {
    if (!w->reply->object)
        w->reply->object = json_object_new_object();
    *ret = w->reply->object;
    if (w->reply->status == 0)
        w->reply->reply_type = "package_changes";
    return w->reply->object ? 0 : -ENOMEM;
}

static int add_changes(Work *w, const PackageChanges *changes) {
    struct json_object *array = NULL, *o;

    TRY(object_of(w, &o));
    TRY(package_changes_to_json(changes, &array));
    TRY(json_add(o, "changes", array));
    return json_add_bool(o, "dry_run", w->request.dry_run);
}

static int tell_nothing(Work *w, const PackageChanges *changes) {
    return changes->n > 0 ? 0 : reply_add_line(w->reply, "Nothing was to be done.");
}

/* Whether a reboot was due before does not matter: it is due. */
static int add_surroundings(Work *w, int64_t begin_sec, const PackageList *after) {
    struct json_object *o, *array = NULL, *services = NULL, *reboot = NULL;

    TRY(object_of(w, &o));
    TRY(after_find_conffiles(begin_sec, &array));
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
static int finish(Work *w, int r, int64_t begin_sec, const PackageList *before) {
    _cleanup_(package_list_done) PackageList after = {};
    _cleanup_(package_changes_done) PackageChanges changes = {};

    if (r < 0 && r != -EINVAL)
        return r;
    TRY(apt_list(w, &after));
    TRY(package_changes_compare(before, &after, &changes));
    TRY(add_changes(w, &changes));
    TRY(add_surroundings(w, begin_sec, &after));
    if (r >= 0)
        TRY(tell_nothing(w, &changes));
    if (r >= 0)
        progress_tell(100, "done");
    return r;
}

/* apt-get plans once more. If another program has come in between, nothing is removed that nobody
 * has checked. */
static int apply(Work *w, const Words *a, const PackageList *before, bool may_remove) {
    const int64_t begin_sec = (int64_t)(now_usec(CLOCK_REALTIME) / USEC_PER_SEC);

    w->percent_from = 10;
    w->percent_to = 97;
    return finish(w, apt_apply(w, words_get(a), may_remove), begin_sec, before);
}

/* Plans, checks, and does it. */
static int carry_out(Work *w, const Words *a, const PackageList *before) {
    _cleanup_(package_changes_done) PackageChanges plan = {};
    bool removes;

    TRY(apt_simulate(w, words_get(a), &plan));
    TRY(check_plan(w, &plan, &removes));
    TRY(check_cancelled(w));
    if (!w->request.dry_run && plan.n > 0)
        return apply(w, a, before, removes);
    TRY(add_changes(w, &plan));
    return tell_nothing(w, &plan);
}

/* --- install -------------------------------------------------------------------------------- */

static bool has_version(const AptCandidate *c, const char *version) {
    for (size_t i = 0; i < c->n_versions; i++)
        if (streq(c->versions[i], version))
            return true;
    return false;
}

/* apt-get takes a name that nobody has for an expression, or for an order to remove it. */
static int check_candidate(Work *w, const AptCandidate *c, const char *name, const char *version) {
    if (!c || (!c->candidate && c->n_versions == 0))
        return work_fail(w, REPLY_REFUSED, "missing",
                         "There is no package %s in the repositories of this server; nothing was "
                         "changed",
                         name);
    if (!isempty(version) && !has_version(c, version))
        return work_fail(w, REPLY_REFUSED, "missing",
                         "There is no version %s of %s in the repositories of this server; the "
                         "newest is %s; nothing was changed",
                         version, name, c->candidate ?: c->versions[0]);
    return 0;
}

static int check_candidates(Work *w) {
    _cleanup_(apt_candidates_done) AptCandidates candidates = {};

    TRY(apt_find_candidates(w, (const char *const *)w->request.names, NULL, &candidates));
    for (size_t i = 0; i < w->request.n; i++)
        TRY(check_candidate(w, apt_candidates_find(&candidates, w->request.names[i]),
                            w->request.names[i], w->request.versions[i]));
    return 0;
}

int modify_install(Work *w) {
    _cleanup_(package_list_done) PackageList before = {};
    _cleanup_(words_done) Words a = {};

    TRY(prepare(w, PACKAGE_CHANGE_INSTALL, w->request.refresh));
    TRY(apt_list(w, &before));
    TRY(check_candidates(w));
    TRY(add_word(&a, "install"));
    if (w->request.allow_downgrade)
        TRY(add_word(&a, "--allow-downgrades"));
    TRY(add_word(&a, "--"));
    for (size_t i = 0; i < w->request.n; i++)
        TRY(add_version(&a, w->request.names[i], w->request.versions[i]));
    return carry_out(w, &a, &before);
}

/* --- remove --------------------------------------------------------------------------------- */

int modify_remove(Work *w) {
    _cleanup_(package_list_done) PackageList before = {};
    _cleanup_(words_done) Words a = {};
    size_t n = 0;

    TRY(prepare(w, PACKAGE_CHANGE_REMOVE, false));
    TRY(apt_list(w, &before));
    TRY(add_word(&a, w->request.purge ? "purge" : "remove"));
    TRY(add_word(&a, "--"));
    for (size_t i = 0; i < w->request.n; i++)
        if (package_list_find(&before, w->request.names[i])) {
            TRY(add_word(&a, w->request.names[i]));
            n++;
        }
    if (n > 0)
        return carry_out(w, &a, &before);
    TRY(add_changes(w, &(PackageChanges){}));
    return reply_add_line(w->reply, "Nothing was to be done.");
}

/* --- update --------------------------------------------------------------------------------- */

static int add_security(Words *a, const AptCandidates *candidates, bool *ret_any) {
    *ret_any = false;
    for (size_t i = 0; i < candidates->n; i++)
        if (candidates->items[i].security) {
            TRY(add_version(a, candidates->items[i].name, candidates->items[i].security));
            *ret_any = true;
        }
    return 0;
}

/* The names of those that can be updated, or of those that are asked for. Held ones stay. */
static int list_updatable(Work *w, const PackageList *before, Words *ret) {
    for (size_t i = 0; i < before->n; i++) {
        const Package *p = &before->items[i];

        if (w->request.n == 0 && !p->is_held)
            TRY(add_word(ret, p->name));
    }
    for (size_t i = 0; i < w->request.n; i++)
        TRY(add_word(ret, w->request.names[i]));
    return 0;
}

/* The newest version of the security repositories, even if another one has a newer version. */
static int plan_security(Work *w, const PackageList *before, Words *a, bool *ret_any) {
    _cleanup_(apt_candidates_done) AptCandidates candidates = {};
    _cleanup_(apt_sources_done) AptSources sources = {};
    _cleanup_(words_done) Words names = {};

    TRY(apt_find_sources(w, &sources));
    TRY(list_updatable(w, before, &names));
    TRY(apt_find_candidates(w, words_get(&names), &sources, &candidates));
    if (sources.n == 0)
        TRY(reply_add_line(w->reply,
                           "None of the repositories says that it is one of security updates."));
    TRY(add_word(a, "install"));
    TRY(add_word(a, "--only-upgrade"));
    TRY(add_word(a, "--"));
    return add_security(a, &candidates, ret_any);
}

static int check_installed(Work *w, const PackageList *before) {
    for (size_t i = 0; i < w->request.n; i++)
        if (!package_list_find(before, w->request.names[i]))
            return work_fail(w, REPLY_REFUSED, "missing",
                             "%s is not installed, so it cannot be updated; nothing was changed",
                             w->request.names[i]);
    return 0;
}

static int plan_update(Work *w, const PackageList *before, Words *a, bool *ret_any) {
    *ret_any = true;
    if (w->request.security)
        return plan_security(w, before, a, ret_any);
    if (w->request.n == 0) {
        TRY(add_word(a, "upgrade"));
        return add_word(a, "--with-new-pkgs");
    }
    TRY(add_word(a, "install"));
    TRY(add_word(a, "--only-upgrade"));
    TRY(add_word(a, "--"));
    for (size_t i = 0; i < w->request.n; i++)
        TRY(add_word(a, w->request.names[i]));
    return 0;
}

/* Those of the words behind "--", without versions. */
static int names_behind(const Words *a, Words *ret) {
    size_t i = 0;

    while (i < a->n && !streq(a->words[i], "--"))
        i++;
    for (i++; i < a->n; i++) {
        char *name = strndup(a->words[i], strcspn(a->words[i], "="));

        TRY(strv_push(&ret->words, &ret->n, name));
    }
    return 0;
}

/* apt-get takes a package that is named for one that somebody wants for itself. */
static int update(Work *w, const Words *a, const PackageList *before) {
    _cleanup_(strv_freep) char **automatic = NULL;
    _cleanup_(words_done) Words names = {};
    int r, marked;

    TRY(names_behind(a, &names));
    if (names.n > 0 && !w->request.dry_run)
        TRY(apt_list_automatic(w, words_get(&names), &automatic));
    r = carry_out(w, a, before);
    if (r < 0 && r != -EINVAL)
        return r;
    marked = r >= 0 ? apt_mark(w, "auto", (const char *const *)automatic) : 0;
    return r < 0 ? r : marked;
}

int modify_update(Work *w) {
    _cleanup_(package_list_done) PackageList before = {};
    _cleanup_(words_done) Words a = {};
    bool any;

    TRY(prepare(w, PACKAGE_CHANGE_UPDATE, w->request.refresh));
    TRY(apt_list(w, &before));
    TRY(check_installed(w, &before));
    TRY(plan_update(w, &before, &a, &any));
    if (any)
        return update(w, &a, &before);
    TRY(add_changes(w, &(PackageChanges){}));
    return reply_add_line(w->reply, "Nothing was to be done.");
}

/* --- hold ----------------------------------------------------------------------------------- */

static int list_held(Work *w, struct json_object **ret) {
    _cleanup_json_ struct json_object *array = json_object_new_array();
    _cleanup_(package_list_done) PackageList l = {};

    if (!array)
        return -ENOMEM;
    TRY(apt_list(w, &l));
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
    TRY(apt_list(w, &before));
    TRY(check_installed(w, &before));
    if (!w->request.dry_run)
        TRY(apt_mark(w, w->request.hold ? "hold" : "unhold",
                     (const char *const *)w->request.names));
    TRY(list_held(w, &held));
    TRY(object_of(w, &o));
    w->reply->reply_type = "package_holds";
    TRY(json_add(o, "held", TAKE_PTR(held)));
    return json_add_bool(o, "dry_run", w->request.dry_run);
}
