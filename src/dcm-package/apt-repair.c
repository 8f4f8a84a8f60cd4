/* SPDX-License-Identifier: Apache-2.0 */
/* dpkg configures what it has unpacked. What was being unpacked or removed it leaves alone: apt-get
 * does that, from the repositories, before whatever else it is asked for. */
#include "dcm-package/apt-repair.h"

#include <dirent.h>
#include <stdio.h>

#include "basic/strv.h"
#include "dcm-package/apt.h"
#include "dcm-package/progress.h"
#include "dcm-package/tool.h"

#define DPKG_UPDATES "/var/lib/dpkg/updates"

/* Files of a run of dpkg that was killed. */
static bool has_updates(void) {
    DIR *d = opendir(DPKG_UPDATES);
    bool found = false;

    for (const struct dirent *e; d && (e = readdir(d));)
        found = found || *e->d_name != '.';
    if (d)
        (void)closedir(d);
    return found;
}

/* "a b" of those that are half configured; NULL: none. */
static int find_half(const PackageList *l, char **ret) {
    _cleanup_free_ char *names = NULL;

    for (size_t i = 0; i < l->n; i++) {
        char *longer;

        if (!l->items[i].is_half)
            continue;
        if (asprintf(&longer, "%s%s%s", strempty(names), names ? " " : "", l->items[i].name) < 0)
            return -ENOMEM;
        free(names);
        names = longer;
    }
    *ret = TAKE_PTR(names);
    return 0;
}

/* It fails also because of what must be unpacked again, and that is told later. */
static int configure(Work *w) {
    const char *const argv[] = {"dpkg", "--force-confdef", "--force-confold", "--configure", "-a",
                                NULL};
    const Tool t = {.argv = argv, .on_line = apt_on_line, .userdata = w};

    progress_tell(w->percent_from, "configuring what an earlier run has left");
    work_forget_reason(w);
    return tool_run(&t);
}

/* apt-get does not unpack again by itself what was not there before. */
static int add_damaged(const PackageList *l, Words *ret) {
    for (size_t i = 0; i < l->n; i++) {
        const Package *p = &l->items[i];
        char *name = NULL;

        if (!p->is_damaged || p->is_unwanted)
            continue;
        if (asprintf(&name, "%s%s%s", p->name, streq(p->architecture, "all") ? "" : ":",
                     streq(p->architecture, "all") ? "" : p->architecture) < 0)
            name = NULL;
        TRY(strv_push(&ret->words, &ret->n, name));
    }
    return 0;
}

/* Only what was being removed may go. */
static int check_removals(Work *w, const PackageList *l, const PackageChanges *plan,
                          bool *ret_removes) {
    *ret_removes = false;
    for (size_t i = 0; i < plan->n; i++) {
        const Package *p = package_list_find(l, plan->items[i].name);

        if (plan->items[i].to)
            continue;
        *ret_removes = true;
        if (!p || !p->is_half)
            return work_fail(w, REPLY_FAILED, "failed", "apt-get would remove %s",
                             plan->items[i].name);
    }
    return 0;
}

static int fix(Work *w, const PackageList *l) {
    _cleanup_(package_changes_done) PackageChanges plan = {};
    _cleanup_(words_done) Words words = {}, damaged = {};
    _cleanup_(strv_freep) char **automatic = NULL;
    bool removes;

    TRY(add_damaged(l, &damaged));
    TRY(words_add_all(&words, (const char *const[]){"install", "-f", "--reinstall", "--", NULL}));
    TRY(words_add_all(&words, words_get(&damaged)));
    TRY(apt_simulate(w, words_get(&words), &plan));
    TRY(check_removals(w, l, &plan, &removes));
    if (damaged.n > 0)
        TRY(apt_list_automatic(w, words_get(&damaged), &automatic));
    TRY(apt_apply(w, words_get(&words), removes));
    return apt_mark(w, "auto", (const char *const *)automatic);
}

/* What dpkg could not do. The error of apt-get is the reason that is told, and none of the command,
 * which may succeed all the same. */
static int complete(Work *w) {
    _cleanup_(package_list_done) PackageList l = {};
    bool wanted = false;
    int r;

    TRY(apt_list(w, &l));
    for (size_t i = 0; i < l.n; i++)
        wanted = wanted || l.items[i].is_damaged || (l.items[i].is_half && l.items[i].is_unwanted);
    if (!wanted)
        return 0;
    progress_tell(w->percent_from, "unpacking again what an earlier run has left");
    r = fix(w, &l);
    if (r != -EINVAL)
        return r;
    if (!w->reason && w->reply->error_message)
        TRY(work_add_reason(w, w->reply->error_message));
    reply_done(w->reply);
    return 0;
}

int apt_repair(Work *w) {
    _cleanup_(package_list_done) PackageList before = {}, after = {};
    _cleanup_free_ char *names = NULL, *left = NULL, *reason = NULL;

    TRY(apt_list(w, &before));
    TRY(find_half(&before, &names));
    if (!names && !has_updates())
        return 0;
    TRY(configure(w));
    TRY(complete(w));
    reason = TAKE_PTR(w->reason);
    TRY(apt_list(w, &after));
    work_forget_reason(w);
    w->reason = TAKE_PTR(reason);
    TRY(find_half(&after, &left));
    return work_tell_repair(w, !left && !has_updates(), names ?: "its journal");
}
