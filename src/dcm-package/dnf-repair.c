/* SPDX-License-Identifier: Apache-2.0 */
/* rpm writes a package into its database before the package's last script runs, and removes the
 * old versions when all new ones are there. dnf's history says whether a transaction has come to
 * its end. */
#include "dcm-package/dnf-repair.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/log.h"
#include "dcm-package/dnf-mark.h"
#include "dcm-package/dnf.h"
#include "dcm-package/progress.h"
#include "dcm-package/tool.h"
#include "package/dnf-text.h"

#define HISTORY "/var/lib/dnf/history.sqlite"

/* "a, b"; the caller frees. */
static int join(const Words *a, char **ret) {
    char *text = strdup("");

    for (size_t i = 0; text && i < a->n; i++) {
        char *longer;

        if (asprintf(&longer, "%s%s%s", text, i > 0 ? ", " : "", a->words[i]) < 0)
            longer = NULL;
        free(text);
        text = longer;
    }
    *ret = text;
    return text ? 0 : -ENOMEM;
}

/* --- database ------------------------------------------------------------------------------- */

/* Also of its indices: without one, packages are listed, but not found. */
static int check_database(Work *w, bool *ret) {
    const char *const argv[] = {"rpm", "--verifydb", NULL};
    const Tool t = {.argv = argv, .on_line = work_on_line, .userdata = w};
    int r;

    work_forget_reason(w);
    r = tool_run(&t);
    *ret = r == 0;
    return r < 0 ? work_fail_tool(w, r, "The package database cannot be checked") : 0;
}

static int rebuild(Work *w) {
    const char *const argv[] = {"rpm", "--rebuilddb", NULL};
    const Tool t = {.argv = argv, .on_line = work_on_line, .userdata = w};
    bool good;
    int r;

    TRY(check_database(w, &good));
    if (good)
        return 0;
    progress_tell(w->percent_from, "rebuilding the package database");
    r = tool_run(&t);
    if (r != 0) /* what dnf would do with it, nobody knows */
        return work_fail_tool(
            w, r,
            "The package database is damaged, and rpm --rebuilddb cannot repair it; "
            "nothing was changed");
    return work_tell_repair(w, true, "rpm --rebuilddb");
}

/* --- what was under way --------------------------------------------------------------------- */

static int add_once(Words *a, const char *word) {
    for (size_t i = 0; i < a->n; i++)
        if (streq(a->words[i], word))
            return 0;
    return words_add(a, word);
}

/* Those of the names that are installed. */
static int add_installed(const PackageList *l, char *const *names, Words *ret) {
    for (char *const *name = names; name && *name; name++)
        for (size_t i = 0; i < l->n; i++) {
            _cleanup_free_ char *installed = NULL;

            TRY(dnf_write_package(&l->items[i], &installed));
            if (streq(installed, *name))
                TRY(add_once(ret, *name));
        }
    return 0;
}

static int find_unfinished(Work *w, const PackageList *l, Words *ret_new, Words *ret_old) {
    const char *const words[] = {"history", "info", "last", NULL};
    _cleanup_(dnf_unfinished_done) DnfUnfinished u = {};
    _cleanup_free_ char *text = NULL;
    int r;

    if (access(HISTORY, F_OK) < 0)
        return 0;
    r = dnf_look(w, words, &text);
    TRY(r);
    if (r != 0)
        return 0; /* there was no transaction yet */
    TRY(dnf_history_parse(text, dnf_mark_is_of_earlier_boot(), &u));
    TRY(add_installed(l, u.installed, ret_new));
    return add_installed(l, u.removed, ret_old);
}

/* Of a repair that was itself cut off. */
static int find_kept(const PackageList *l, Words *ret) {
    _cleanup_(strv_freep) char **names = NULL;

    TRY(dnf_mark_read_kept(&names));
    return add_installed(l, names, ret);
}

/* Of kernels and the like several versions are wanted: dnf knows which. */
static int find_duplicates(Work *w, const PackageList *l, Words *ret) {
    const char *const words[] = {"repoquery", "--duplicates", "--qf", "%{name}-%{evr}.%{arch}",
                                 NULL};
    _cleanup_free_ char *text = NULL;
    bool any = false;
    char *rest;
    int r;

    for (size_t i = 1; i < l->n; i++)
        any = any || (streq(l->items[i - 1].name, l->items[i].name) &&
                      streq(l->items[i - 1].architecture, l->items[i].architecture));
    if (!any)
        return 0;
    r = dnf_look(w, words, &text);
    if (r != 0)
        return work_fail_tool(w, r, "Packages that are there twice cannot be listed");
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        TRY(words_add(ret, line));
    return 0;
}

static int change(Work *w, const char *const *verb, const Words *packages) {
    _cleanup_(words_done) Words words = {};

    if (packages->n == 0)
        return 0;
    TRY(words_add_all(&words, verb));
    TRY(words_add_all(&words, words_get(packages)));
    return dnf_change(w, words_get(&words));
}

/* A configuration file that rpm had not written out when the power failed. dnf would take it for
 * changed by the administrator, and keep it. */
static int remove_lost_content(Work *w, const Words *packages) {
    const char *const verb[] = {"rpm", "--verify", "--nodeps", "--noscripts", NULL};
    _cleanup_(words_done) Words argv = {};
    Tool t = {.on_line = work_on_line, .userdata = w};
    _cleanup_free_ char *text = NULL;
    char *rest;

    if (packages->n == 0 || !dnf_mark_is_of_earlier_boot())
        return 0;
    TRY(words_add_all(&argv, verb));
    TRY(words_add_all(&argv, words_get(packages)));
    t.argv = words_get(&argv);
    TRY(tool_read(&t, &text)); /* its status says whether there are any differences */
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        const char *path = dnf_find_lost_content(line);

        if (path && unlink(path) < 0 && errno != ENOENT)
            return log_error_errno(errno, "Cannot remove %s, whose content was lost: %m", path);
    }
    return 0;
}

typedef struct Remains {
    Words duplicates, unfinished, /* installed again */
        half_removed;             /* some of their files are gone */
} Remains;

static void remains_done(Remains *a) {
    words_done(&a->duplicates);
    words_done(&a->unfinished);
    words_done(&a->half_removed);
}

/* The caller frees. */
static int name_all(const Remains *a, char **ret) {
    const Words *const lists[] = {&a->duplicates, &a->unfinished, &a->half_removed};
    _cleanup_(words_done) Words all = {};

    for (size_t i = 0; i < ELEMENTSOF(lists); i++)
        for (size_t j = 0; j < lists[i]->n; j++)
            TRY(add_once(&all, lists[i]->words[j]));
    return join(&all, ret);
}

static int finish(Work *w, const Remains *a) {
    int r;

    progress_tell(w->percent_from, "repairing what an earlier run has left");
    r = change(w, (const char *const[]){"remove", "--noautoremove", NULL}, &a->half_removed);
    if (r == 0 && a->duplicates.n > 0)
        r = dnf_change(w, (const char *const[]){"remove", "--duplicates", NULL});
    if (r == 0)
        r = remove_lost_content(w, &a->unfinished);
    if (r == 0)
        r = change(w, (const char *const[]){"reinstall", NULL}, &a->unfinished);
    return r;
}

static int repair(Work *w, const PackageList *l) {
    _cleanup_(remains_done) Remains a = {};
    _cleanup_free_ char *names = NULL;
    int r;

    TRY(find_duplicates(w, l, &a.duplicates));
    TRY(find_unfinished(w, l, &a.unfinished, &a.half_removed));
    TRY(find_kept(l, &a.unfinished));
    if (a.duplicates.n + a.unfinished.n + a.half_removed.n == 0) {
        dnf_mark_clear();
        return 0;
    }
    TRY(name_all(&a, &names));
    TRY(dnf_mark_keep(words_get(&a.unfinished)));
    r = finish(w, &a);
    if (r == 0)
        dnf_mark_clear(); /* else the next command tries again */
    return r < 0 ? r : work_tell_repair(w, r == 0, names);
}

int dnf_repair(Work *w) {
    _cleanup_(package_list_done) PackageList l = {};

    TRY(rebuild(w));
    TRY(dnf_list(w, &l));
    return repair(w, &l);
}
