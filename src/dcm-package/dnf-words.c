/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-package/dnf-words.h"

#include <stdio.h>

#include "basic/bounds.h"
#include "basic/utf8.h"
#include "dcm-package/dnf-versionlock.h"
#include "dcm-package/dnf.h"
#include "dcm-package/tool.h"
#include "package/dnf-text.h"

#define ALLOW_REMOVAL "--allowerasing"
#define WITHOUT_HOLDS "--disableplugin=versionlock"

/* --- install, remove ------------------------------------------------------------------------ */

static int check_name(Work *w, const char *available, const PackageList *before, const char *name,
                      const char *version) {
    const char *newest;
    char text[PACKAGE_NAME_MAX + 1];

    if (dnf_find_available(available, name, version, &newest))
        return 0;
    if (!newest)
        return package_list_find(before, name) ? 0 : work_fail_missing(w, name, NULL, NULL);
    (void)utf8_format(text, sizeof(text), "%.*s", (int)strcspn(newest, "\t\n"), newest);
    return work_fail_missing(w, name, version, text);
}

/* dnf takes a name that no package has for something that one provides, or for a file. */
static int check_names(Work *w, const PackageList *before) {
    _cleanup_(words_done) Words words = {};
    _cleanup_free_ char *text = NULL;
    int r;

    TRY(words_add_all(&words, (const char *const[]){WITHOUT_HOLDS, "repoquery", "--qf",
                                                    DNF_AVAILABLE_FORMAT, NULL}));
    TRY(words_add_all(&words, (const char *const *)w->request.names));
    r = dnf_look(w, words_get(&words), &text);
    if (r != 0)
        return work_fail_tool(w, r, "The versions of packages cannot be listed");
    for (size_t i = 0; i < w->request.n; i++)
        TRY(check_name(w, text, before, w->request.names[i], w->request.versions[i]));
    return 0;
}

int dnf_word_install(Work *w, const PackageList *before, Words *ret) {
    TRY(check_names(w, before));
    TRY(words_add(ret, "install"));
    for (size_t i = 0; i < w->request.n; i++)
        TRY(words_add_version(ret, w->request.names[i], '-', w->request.versions[i]));
    return 0;
}

/* What was installed as a dependency stays. */
int dnf_word_remove(Work *w, const PackageList *before, Words *ret) {
    TRY(words_add_all(ret, (const char *const[]){"remove", "--noautoremove", NULL}));
    for (size_t i = 0; i < w->request.n; i++)
        if (package_list_find(before, w->request.names[i]))
            TRY(words_add(ret, w->request.names[i]));
    return 0;
}

/* --- update --------------------------------------------------------------------------------- */

/* Whether there are updates is another question. */
static int tell_no_security(Work *w) {
    const char *const words[] = {"updateinfo", "list", "--all", NULL};
    _cleanup_free_ char *text = NULL;
    int r = dnf_look(w, words, &text);

    if (r != 0)
        return work_fail_tool(w, r, "The advisories of the repositories cannot be listed");
    return *text ? 0
                 : reply_add_line(w->reply, "None of the repositories has security information.");
}

int dnf_word_update(Work *w, const PackageList *before, Words *ret) {
    (void)before;
    if (w->request.security) {
        TRY(tell_no_security(w));
        TRY(words_add_all(ret, (const char *const[]){"upgrade-minimal", "--security", NULL}));
    } else
        TRY(words_add(ret, "upgrade"));
    return words_add_all(ret, (const char *const *)w->request.names);
}

/* --- doing it ------------------------------------------------------------------------------- */

/* Only if there is no other way, a package in the way of an installation goes. The first error is
 * the one that people can do something about. */
static int simulate_with_removal(Work *w, const PackageList *before, Words *a,
                                 PackageChanges *ret) {
    _cleanup_(reply_done) Reply first = *w->reply;
    int r;

    *w->reply = (Reply){.error_type = first.error_type};
    TRY(words_add(a, ALLOW_REMOVAL));
    r = dnf_simulate(w, before, words_get(a), ret);
    if (r == -EINVAL && !tool_is_cancelled()) {
        reply_done(w->reply);
        *w->reply = first;
        first = (Reply){};
    }
    return r;
}

int dnf_simulate_words(Work *w, const PackageList *before, Words *a, PackageChanges *ret) {
    int r = dnf_simulate(w, before, words_get(a), ret);

    return r == -EINVAL && streq(a->words[0], "install") && !tool_is_cancelled()
               ? simulate_with_removal(w, before, a, ret)
               : r;
}

/* Without --allowerasing it removes nothing. */
int dnf_apply_words(Work *w, const Words *a, bool may_remove) {
    (void)may_remove;
    return dnf_apply(w, words_get(a));
}

/* --- what can be updated -------------------------------------------------------------------- */

static int copy_security(const PackageChanges *security, PackageChange *c) {
    for (size_t i = 0; i < security->n; i++) {
        const PackageChange *s = &security->items[i];

        if (streq(s->name, c->name) && streq(s->architecture, c->architecture))
            return free_and_strdup(&c->security, s->to);
    }
    return 0;
}

int dnf_find_updates(Work *w, const PackageList *before, PackageChanges *ret) {
    const char *const all[] = {WITHOUT_HOLDS, "upgrade", NULL};
    const char *const minimal[] = {WITHOUT_HOLDS, "upgrade-minimal", "--security", NULL};
    _cleanup_(package_changes_done) PackageChanges security = {};

    TRY(dnf_simulate(w, before, all, ret));
    TRY(dnf_simulate(w, before, minimal, &security));
    for (size_t i = 0; i < ret->n; i++)
        TRY(copy_security(&security, &ret->items[i]));
    return 0;
}

/* --- hold ----------------------------------------------------------------------------------- */

static int lock(Work *w, const char *verb, const Words *packages) {
    _cleanup_(words_done) Words words = {};
    int r;

    TRY(words_add_all(&words, (const char *const[]){"versionlock", verb, NULL}));
    TRY(words_add_all(&words, words_get(packages)));
    r = dnf_change(w, words_get(&words));
    return r == 0 ? 0 : work_fail_tool(w, r, "dnf versionlock has failed");
}

/* The locks that there are, and those that are wanted. */
static int list_locks(const Work *w, const PackageList *before, Words *held, Words *ret) {
    for (size_t i = 0; i < before->n; i++) {
        const Package *p = &before->items[i];
        char *text;

        if (!package_request_has(&w->request, p->name))
            continue;
        if (p->is_held)
            TRY(words_add(held, p->name));
        TRY(dnf_write_package(p, &text));
        TRY(strv_push(&ret->words, &ret->n, text));
    }
    return 0;
}

int dnf_hold(Work *w, const PackageList *before) {
    _cleanup_(words_done) Words held = {}, packages = {};
    _cleanup_free_ char *path = NULL;
    bool active;

    TRY(versionlock_find(&active, &path));
    if (!active)
        return work_fail(w, REPLY_REFUSED, "unsupported",
                         "dnf has no plugin versionlock, which holds packages, or it is switched "
                         "off: install python3-dnf-plugin-versionlock; nothing was changed");
    TRY(list_locks(w, before, &held, &packages));
    if (held.n > 0)
        TRY(lock(w, "delete", &held));
    return w->request.hold ? lock(w, "add", &packages) : 0;
}
