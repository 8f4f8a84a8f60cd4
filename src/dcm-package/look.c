/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-package/look.h"

#include <fnmatch.h>

#include "dcm-package/after.h"

static void set_object(Work *w, const char *type, struct json_object *o) {
    (void)json_object_put(w->reply->object);
    w->reply->object = o;
    w->reply->reply_type = type;
}

static bool is_wanted(const PackageRequest *q, const char *name) {
    for (size_t i = 0; i < q->n; i++)
        if (fnmatch(q->names[i], name, 0) == 0)
            return true;
    return q->n == 0;
}

static int add_package(struct json_object *array, const Package *p) {
    struct json_object *o = json_object_new_object();

    if (!o || json_object_array_add(array, o) < 0) {
        (void)json_object_put(o);
        return -ENOMEM;
    }
    TRY(json_add_string(o, "name", p->name));
    TRY(json_add_string(o, "version", p->version));
    TRY(json_add_string(o, "architecture", p->architecture));
    TRY(json_add_bool(o, "held", p->is_held));
    return json_add_bool(o, "configured", !p->is_half);
}

int look_packages(Work *w) {
    _cleanup_json_ struct json_object *array = json_object_new_array();
    _cleanup_(package_list_done) PackageList l = {};

    if (!array)
        return -ENOMEM;
    TRY(w->backend->list(w, &l));
    for (size_t i = 0; i < l.n; i++)
        if (is_wanted(&w->request, l.items[i].name))
            TRY(add_package(array, &l.items[i]));
    set_object(w, "packages", TAKE_PTR(array));
    return 0;
}

/* --- updates -------------------------------------------------------------------------------- */

static int add_update(struct json_object *array, const PackageChange *c, const Package *installed) {
    struct json_object *o = json_object_new_object();

    if (!o || json_object_array_add(array, o) < 0) {
        (void)json_object_put(o);
        return -ENOMEM;
    }
    TRY(json_add_string(o, "name", c->name));
    TRY(json_add_string(o, "architecture", c->architecture));
    TRY(json_add_string(o, "from", c->from));
    TRY(json_add_string(o, "to", c->to));
    TRY(json_add_string(o, "origin", c->origin));
    TRY(json_add_string(o, "successor", c->successor));
    TRY(json_add_bool(o, "held", installed && installed->is_held));
    return json_add_string(o, "security", c->security);
}

static int list_updates(Work *w, struct json_object *array) {
    _cleanup_(package_changes_done) PackageChanges plan = {};
    _cleanup_(package_list_done) PackageList installed = {};

    TRY(w->backend->list(w, &installed));
    TRY(w->backend->find_updates(w, &installed, &plan));
    for (size_t i = 0; i < plan.n; i++) {
        const PackageChange *c = &plan.items[i];

        if (c->from && (c->to || c->successor)) /* not what only comes along */
            TRY(add_update(array, c, package_list_find(&installed, c->name)));
    }
    return 0;
}

int look_updates(Work *w) {
    _cleanup_json_ struct json_object *array = json_object_new_array();

    if (!array)
        return -ENOMEM;
    if (w->request.refresh) {
        TRY(work_wait_locks(w));
        TRY(w->backend->refresh(w, NULL));
    }
    TRY(list_updates(w, array));
    set_object(w, "package_updates", TAKE_PTR(array));
    return 0;
}

/* --- reboot --------------------------------------------------------------------------------- */

int look_reboot(Work *w) {
    _cleanup_(package_list_done) PackageList installed = {};
    struct json_object *o = NULL, *services = NULL;

    TRY(w->backend->list(w, &installed));
    TRY(after_find_reboot(w, &installed, &o));
    set_object(w, "reboot_required", o);
    TRY(after_find_services(&services));
    return json_add(o, "services", services);
}
