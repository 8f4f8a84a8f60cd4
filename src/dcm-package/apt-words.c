/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-package/apt-words.h"

#include "basic/strv.h"
#include "dcm-package/apt.h"

#define ONLY_UPGRADE "--only-upgrade"

/* --- install, remove ------------------------------------------------------------------------ */

static bool has_version(const AptCandidate *c, const char *version) {
    for (size_t i = 0; i < c->n_versions; i++)
        if (streq(c->versions[i], version))
            return true;
    return false;
}

/* apt-get takes a name that nobody has for an expression, or for an order to remove it. */
static int check_candidate(Work *w, const AptCandidate *c, const char *name, const char *version) {
    if (!c || (!c->candidate && c->n_versions == 0))
        return work_fail_missing(w, name, NULL, NULL);
    if (!isempty(version) && !has_version(c, version))
        return work_fail_missing(w, name, version, c->candidate ?: c->versions[0]);
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

int apt_word_install(Work *w, const PackageList *before, Words *ret) {
    (void)before;
    TRY(check_candidates(w));
    TRY(words_add(ret, "install"));
    if (w->request.allow_downgrade)
        TRY(words_add(ret, "--allow-downgrades"));
    TRY(words_add(ret, "--"));
    for (size_t i = 0; i < w->request.n; i++)
        TRY(words_add_version(ret, w->request.names[i], '=', w->request.versions[i]));
    return 0;
}

int apt_word_remove(Work *w, const PackageList *before, Words *ret) {
    TRY(words_add(ret, w->request.purge ? "purge" : "remove"));
    TRY(words_add(ret, "--"));
    for (size_t i = 0; i < w->request.n; i++)
        if (package_list_find(before, w->request.names[i]))
            TRY(words_add(ret, w->request.names[i]));
    return 0;
}

/* --- update --------------------------------------------------------------------------------- */

/* The names of those that can be updated, or of those that are asked for. Held ones stay. */
static int list_updatable(Work *w, const PackageList *before, Words *ret) {
    for (size_t i = 0; i < before->n; i++) {
        const Package *p = &before->items[i];

        if (w->request.n == 0 && !p->is_held)
            TRY(words_add(ret, p->name));
    }
    return words_add_all(ret, (const char *const *)w->request.names);
}

/* The newest version of the security repositories, even if another one has a newer version. */
static int word_security(Work *w, const PackageList *before, Words *ret) {
    _cleanup_(apt_candidates_done) AptCandidates candidates = {};
    _cleanup_(apt_sources_done) AptSources sources = {};
    _cleanup_(words_done) Words names = {};

    TRY(apt_find_sources(w, &sources));
    TRY(list_updatable(w, before, &names));
    TRY(apt_find_candidates(w, words_get(&names), &sources, &candidates));
    if (sources.n == 0)
        TRY(reply_add_line(w->reply,
                           "None of the repositories says that it is one of security updates."));
    for (size_t i = 0; i < candidates.n; i++) {
        const AptCandidate *c = &candidates.items[i];

        if (c->security && ret->n == 0)
            TRY(words_add_all(ret, (const char *const[]){"install", ONLY_UPGRADE, "--", NULL}));
        if (c->security)
            TRY(words_add_version(ret, c->name, '=', c->security));
    }
    return 0;
}

int apt_word_update(Work *w, const PackageList *before, Words *ret) {
    if (w->request.security)
        return word_security(w, before, ret);
    if (w->request.n == 0)
        return words_add_all(ret, (const char *const[]){"upgrade", "--with-new-pkgs", NULL});
    TRY(words_add_all(ret, (const char *const[]){"install", ONLY_UPGRADE, "--", NULL}));
    return words_add_all(ret, (const char *const *)w->request.names);
}

/* --- doing it ------------------------------------------------------------------------------- */

/* apt-get does not say which version of a package was removed before a purge. */
int apt_simulate_words(Work *w, const PackageList *before, Words *a, PackageChanges *ret) {
    TRY(apt_simulate(w, words_get(a), ret));
    for (size_t i = 0; i < ret->n; i++) {
        PackageChange *c = &ret->items[i];
        const Package *p = c->from || c->to ? NULL : package_list_find(before, c->name);

        if (p)
            TRY(free_and_strdup(&c->from, p->version));
    }
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

/* apt-get takes a package that is named for an update for one that somebody wants for itself. */
int apt_apply_words(Work *w, const Words *a, bool may_remove) {
    _cleanup_(strv_freep) char **automatic = NULL;
    _cleanup_(words_done) Words names = {};

    if (a->n > 1 && streq(a->words[1], ONLY_UPGRADE)) {
        TRY(names_behind(a, &names));
        TRY(apt_list_automatic(w, words_get(&names), &automatic));
    }
    TRY(apt_apply(w, words_get(a), may_remove));
    return apt_mark(w, "auto", (const char *const *)automatic);
}

/* --- what can be updated -------------------------------------------------------------------- */

/* Those that are updated, not those that come along. */
static int names_of(const PackageChanges *plan, Words *ret) {
    for (size_t i = 0; i < plan->n; i++)
        if (plan->items[i].from && plan->items[i].to)
            TRY(words_add(ret, plan->items[i].name));
    return 0;
}

static int add_security(Work *w, PackageChanges *plan) {
    _cleanup_(apt_candidates_done) AptCandidates candidates = {};
    _cleanup_(apt_sources_done) AptSources sources = {};
    _cleanup_(words_done) Words names = {};

    TRY(names_of(plan, &names));
    if (names.n == 0)
        return 0;
    TRY(apt_find_sources(w, &sources));
    TRY(apt_find_candidates(w, words_get(&names), &sources, &candidates));
    for (size_t i = 0; i < plan->n; i++) {
        const AptCandidate *c = apt_candidates_find(&candidates, plan->items[i].name);

        if (c)
            TRY(free_and_strdup(&plan->items[i].security, c->security));
    }
    return 0;
}

/* As update_packages would do it, and with those that are held. */
int apt_find_updates(Work *w, const PackageList *before, PackageChanges *ret) {
    const char *const words[] = {"--ignore-hold", "--allow-change-held-packages", "upgrade",
                                 "--with-new-pkgs", NULL};

    (void)before;
    TRY(apt_simulate(w, words, ret));
    return add_security(w, ret);
}

int apt_hold(Work *w, const PackageList *before) {
    (void)before;
    return apt_mark(w, w->request.hold ? "hold" : "unhold", (const char *const *)w->request.names);
}
