/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-package/apt.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "basic/bounds.h"
#include "basic/strv.h"
#include "dcm-package/progress.h"
#include "dcm-package/tool.h"

#define LOCK_SEC_MIN 30 /* another program may have come in between */

/* Nobody answers questions: a configuration file that was changed stays. An unsigned repository is
 * never used, whatever the configuration of apt says. */
static const char *const options[] = {
    "-q",
    "-y",
    "-oDpkg::Use-Pty=0",
    "-oDpkg::Options::=--force-confdef",
    "-oDpkg::Options::=--force-confold",
    "-oAPT::Get::AllowUnauthenticated=false",
    "-oAPT::Get::Show-User-Simulation-Note=false",
    "-oAcquire::AllowInsecureRepositories=false",
    "-oAcquire::AllowDowngradeToInsecureRepositories=false",
    "-oAcquire::Retries=2",
    NULL,
};

static int make_argv(const Work *w, const char *const *more, const char *const *words, Words *ret) {
    const uint64_t lock_sec = MAX(w->request.lock_usec / USEC_PER_SEC, (uint64_t)LOCK_SEC_MIN);
    char lock[64];

    (void)snprintf(lock, sizeof(lock), "-oDPkg::Lock::Timeout=%" PRIu64, lock_sec);
    TRY(words_add(ret, "apt-get"));
    TRY(words_add(ret, lock));
    TRY(words_add_all(ret, options));
    TRY(words_add(ret, w->request.recommends ? "-oAPT::Install-Recommends=true"
                                             : "-oAPT::Install-Recommends=false"));
    TRY(words_add_all(ret, more));
    return words_add_all(ret, words);
}

void apt_on_line(const char *line, void *userdata) {
    if (strncmp(line, "(Reading database", strlen("(Reading database")) != 0)
        work_on_line(line, userdata);
}

/* A program that only looks. */
static int look(Work *w, const char *const *argv, char **ret) {
    const Tool t = {.argv = argv, .cancel_signal = SIGTERM, .on_line = apt_on_line, .userdata = w};

    work_forget_reason(w);
    return tool_read(&t, ret);
}

int apt_list(Work *w, PackageList *ret) {
    const char *const argv[] = {"dpkg-query", "-W", "-f=" PACKAGE_DEB_FORMAT, NULL};
    _cleanup_free_ char *text = NULL;
    int r = look(w, argv, &text);

    if (r != 0)
        return work_fail_tool(w, r, "The packages cannot be listed");
    return package_list_parse(text, w->request.purge, ret);
}

/* --- lists of packages ---------------------------------------------------------------------- */

/* What apt-get update warns of would be an error for what a request wants, but for a repository
 * that does not call itself as its address does, which is signed nevertheless. */
static void on_refresh_line(const char *line, void *userdata) {
    static const char other_name[] = "W: Conflicting distribution: ";

    apt_on_line(line, userdata);
    if (strncmp(line, "W: ", 3) == 0 && strncmp(line, other_name, strlen(other_name)) != 0)
        (void)work_add_reason(userdata, line + 3);
}

int apt_refresh(Work *w, const RepositoryPaths *repository) {
    _cleanup_free_ char *list = NULL;
    _cleanup_(words_done) Words argv = {};
    const char *words[] = {"update", NULL, NULL, NULL, NULL};
    Tool t = {.cancel_signal = SIGINT, .on_line = on_refresh_line, .userdata = w};
    int r;

    progress_tell(w->percent_from, "fetching the lists of packages");
    if (repository && asprintf(&list, "-oDir::Etc::SourceList=%s", repository->source) < 0) {
        list = NULL;
        return -ENOMEM;
    }
    if (repository) {
        words[1] = "-oDir::Etc::SourceParts=-";
        words[2] = "-oAPT::Get::List-Cleanup=0";
        words[3] = list;
    }
    TRY(make_argv(w, NULL, words, &argv));
    t.argv = words_get(&argv);
    work_forget_reason(w);
    r = tool_run(&t);
    if (r != 0 || (repository && w->reason))
        return work_fail_tool(w, r, "The lists of packages cannot be fetched");
    return w->reason ? work_tell_reason(w, "Not all lists of packages could be fetched") : 0;
}

/* --- versions ------------------------------------------------------------------------------- */

int apt_find_sources(Work *w, AptSources *ret) {
    const char *const argv[] = {"apt-cache", "policy", NULL};
    _cleanup_free_ char *text = NULL;
    int r = look(w, argv, &text);

    if (r != 0)
        return work_fail_tool(w, r, "The sources of packages cannot be listed");
    return apt_sources_parse(text, ret);
}

int apt_find_candidates(Work *w, const char *const *names, const AptSources *sources,
                        AptCandidates *ret) {
    const char *const beginning[] = {"apt-cache", "policy", "--", NULL};
    _cleanup_(words_done) Words argv = {};
    _cleanup_free_ char *text = NULL;
    int r;

    TRY(words_add_all(&argv, beginning));
    TRY(words_add_all(&argv, names));
    r = look(w, words_get(&argv), &text);
    if (r != 0)
        return work_fail_tool(w, r, "The versions of packages cannot be listed");
    return apt_candidates_parse(text, sources, ret);
}

/* --- changes -------------------------------------------------------------------------------- */

/* Downloads are the first fifth. */
static void on_status(char *line, void *userdata) {
    Work *w = userdata;
    AptStatus s;

    if (!apt_status_parse(line, &s))
        return;
    if (s.kind == APT_STATUS_ERROR)
        (void)work_add_reason(w, s.text);
    else if (s.kind == APT_STATUS_DOWNLOAD)
        work_tell_progress(w, s.percent / 5, "downloading packages");
    else if (s.kind == APT_STATUS_PACKAGE)
        work_tell_progress(w, 20 + s.percent * 4 / 5, s.text);
}

int apt_simulate(Work *w, const char *const *words, PackageChanges *ret) {
    const char *const more[] = {"-s", NULL};
    _cleanup_(words_done) Words argv = {};
    _cleanup_free_ char *text = NULL;
    int r;

    TRY(make_argv(w, more, words, &argv));
    r = look(w, words_get(&argv), &text);
    if (r > 0)
        TRY(work_add_reasons(w, text));
    if (r > 0 && w->reason && strstr(w->reason, "Essential packages"))
        return work_fail(w, REPLY_REFUSED, "protected",
                         "apt-get would remove packages that every system needs; nothing was "
                         "changed");
    if (r != 0)
        return work_fail_tool(w, r, "apt-get cannot do that, and nothing was changed");
    return apt_plan_parse(text, ret);
}

int apt_apply(Work *w, const char *const *words, bool may_remove) {
    const char *const more[] = {"-oAPT::Status-Fd=" TOOL_STATUS_FD,
                                may_remove ? NULL : "-oAPT::Get::Remove=false", NULL};
    _cleanup_(words_done) Words argv = {};
    Tool t = {
        .cancel_signal = SIGINT, .on_line = apt_on_line, .on_status = on_status, .userdata = w};
    int r;

    TRY(make_argv(w, more, words, &argv));
    t.argv = words_get(&argv);
    work_forget_reason(w);
    r = tool_run(&t);
    return r != 0 || tool_is_cancelled() ? work_fail_tool(w, r, "apt-get has not done all of it")
                                         : 0;
}

static int call_mark(Work *w, const char *verb, const char *const *names, char **ret) {
    const char *const beginning[] = {"apt-mark", verb, "--", NULL};
    _cleanup_(words_done) Words argv = {};
    int r;

    TRY(words_add_all(&argv, beginning));
    TRY(words_add_all(&argv, names));
    r = look(w, words_get(&argv), ret);
    return r == 0 ? 0 : work_fail_tool(w, r, "apt-mark has failed");
}

int apt_mark(Work *w, const char *verb, const char *const *names) {
    _cleanup_free_ char *text = NULL;

    return names && *names ? call_mark(w, verb, names, &text) : 0;
}

int apt_list_automatic(Work *w, const char *const *names, char ***ret) {
    _cleanup_(strv_freep) char **list = NULL;
    _cleanup_free_ char *text = NULL;
    size_t n = 0;

    TRY(call_mark(w, "showauto", names, &text));
    for (char *line = text, *end; *line; line = end) {
        end = line + strcspn(line, "\n");
        if (end > line)
            TRY(strv_push(&list, &n, strndup(line, (size_t)(end - line))));
        end += *end != 0;
    }
    *ret = TAKE_PTR(list);
    return 0;
}
