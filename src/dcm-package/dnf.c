/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-package/dnf.h"

#include <signal.h>
#include <stdio.h>

#include "basic/fd-util.h"
#include "dcm-package/dnf-mark.h"
#include "dcm-package/dnf-versionlock.h"
#include "dcm-package/inhibit.h"
#include "dcm-package/progress.h"
#include "dcm-package/tool.h"
#include "package/dnf-text.h"

#define PROGRAM "dnf-3" /* /usr/bin/dnf may be dnf 5 */
#define STATUS_LOCKED 200

/* Nobody answers questions. Packages without a good signature are never installed, whatever the
 * configuration of dnf says; locks were waited for before; and lists are fetched when the request
 * says so, not when they are old. */
static const char *const options[] = {
    "-y",
    "--color=never",
    "--setopt=exit_on_lock=1",
    "--setopt=*.gpgcheck=1",
    "--setopt=*.metadata_expire=-1",
    NULL,
};

typedef struct Dnf {
    Work *w;
    Tool tool;
    bool is_aborted; /* it has shown what it would do */
    bool has_failed_script;
} Dnf;

static bool is_blank(const char *line) {
    return line[strspn(line, " ")] == 0;
}

/* rpm takes a signal for the end of the transaction, and dnf then does not write down that it has
 * come to its end: once it is under way, it is waited for without one. */
static void on_line(const char *line, void *userdata) {
    Dnf *d = userdata;
    DnfStatus s;

    if (is_blank(line))
        return;
    if (dnf_line_begins_transaction(line))
        d->tool.cancel_signal = 0;
    d->has_failed_script |= dnf_line_is_of_script(line);
    d->is_aborted |= streq(line, "Operation aborted.");
    work_on_line(line, d->w);
    if (strncmp(line, "Error unpacking", strlen("Error unpacking")) == 0)
        (void)work_add_reason(d->w, "dnf does not say why; often a file system is full, see df");
    if (!dnf_status_parse(line, &s))
        return;
    /* downloads are the first fifth, checking the last tenth */
    work_tell_progress(d->w,
                       s.kind == DNF_STATUS_DOWNLOAD      ? s.percent / 5
                       : s.kind == DNF_STATUS_TRANSACTION ? 20 + s.percent * 7 / 10
                                                          : 90 + s.percent / 10,
                       s.text);
}

static void begin(Dnf *d, Work *w, const Words *argv) {
    *d = (Dnf){.w = w};
    d->tool = (Tool){
        .argv = words_get(argv), .cancel_signal = SIGTERM, .on_line = on_line, .userdata = d};
    work_forget_reason(w);
}

static int make_argv(const Work *w, const char *const *more, const char *const *words, Words *ret) {
    TRY(words_add(ret, PROGRAM));
    TRY(words_add_all(ret, options));
    TRY(words_add(ret, w->request.recommends ? "--setopt=install_weak_deps=1"
                                             : "--setopt=install_weak_deps=0"));
    TRY(words_add_all(ret, more));
    return words_add_all(ret, words);
}

static int fail(Work *w, int status, const char *text) {
    if (status == STATUS_LOCKED && !tool_is_cancelled())
        return work_fail(w, REPLY_REFUSED, "locked",
                         "Another program has begun to work with packages; nothing was changed; "
                         "repeat this later");
    if (w->reason && strstr(w->reason, "protected packages"))
        return work_fail(w, REPLY_REFUSED, "protected", "%s: %s", text, w->reason);
    return work_fail_tool(w, status, text);
}

/* --- looking -------------------------------------------------------------------------------- */

int dnf_look(Work *w, const char *const *words, char **ret) {
    _cleanup_(words_done) Words argv = {};
    Dnf d;

    TRY(make_argv(w, (const char *const[]){"-q", NULL}, words, &argv));
    begin(&d, w, &argv);
    return tool_read(&d.tool, ret);
}

int dnf_list(Work *w, PackageList *ret) {
    const char *const argv[] = {"rpm", "-qa", "--qf", PACKAGE_RPM_FORMAT, NULL};
    const Tool t = {.argv = argv, .cancel_signal = SIGTERM, .on_line = work_on_line, .userdata = w};
    _cleanup_(package_list_done) PackageList l = {};
    _cleanup_free_ char *text = NULL;
    int r;

    work_forget_reason(w);
    r = tool_read(&t, &text);
    if (r != 0)
        return work_fail_tool(w, r, "The packages cannot be listed");
    TRY(package_list_parse(text, false, &l));
    TRY(versionlock_mark(&l));
    *ret = l;
    l = (PackageList){};
    return 0;
}

int dnf_simulate(Work *w, const PackageList *before, const char *const *words,
                 PackageChanges *ret) {
    _cleanup_(words_done) Words argv = {};
    _cleanup_free_ char *text = NULL;
    Dnf d;
    int r;

    TRY(make_argv(w, (const char *const[]){"--assumeno", NULL}, words, &argv));
    begin(&d, w, &argv);
    r = tool_read(&d.tool, &text);
    if (r == 0 || (r == 1 && d.is_aborted))
        return dnf_plan_parse(text, before, ret);
    if (r > 0)
        TRY(work_add_reasons(w, text));
    return fail(w, r, "dnf cannot do that, and nothing was changed");
}

/* --- changing ------------------------------------------------------------------------------- */

int dnf_refresh(Work *w, const RepositoryPaths *repository) {
    _cleanup_(words_done) Words words = {}, argv = {};
    Dnf d;
    int r;

    progress_tell(w->percent_from, "fetching the lists of packages");
    TRY(words_add_all(&words, (const char *const[]){"makecache", "--refresh", NULL}));
    TRY(words_add(&words, repository ? "--setopt=*.skip_if_unavailable=0"
                                     : "--setopt=*.skip_if_unavailable=1"));
    if (repository)
        TRY(words_add_version(&words, "--repo", '=', repository->id));
    TRY(make_argv(w, NULL, words_get(&words), &argv));
    begin(&d, w, &argv);
    r = tool_run(&d.tool);
    if (r != 0)
        return fail(w, r, "The lists of packages cannot be fetched");
    return w->reason ? work_tell_reason(w, "Not all lists of packages could be fetched") : 0;
}

static int run(Work *w, const char *const *words, bool *ret_script) {
    _cleanup_(words_done) Words argv = {};
    Dnf d;
    int r;

    TRY(make_argv(w, NULL, words, &argv));
    r = dnf_mark_set();
    if (r < 0)
        return work_fail(w, REPLY_FAILED, "failed",
                         "It cannot be noted that packages are about to change: %s; nothing was "
                         "changed",
                         strerror(-r));
    begin(&d, w, &argv);
    r = tool_run(&d.tool);
    *ret_script = d.has_failed_script;
    return r;
}

int dnf_change(Work *w, const char *const *words) {
    bool failed;

    return run(w, words, &failed);
}

/* dnf's status is good if the script of a package has failed after its files were installed. */
int dnf_apply(Work *w, const char *const *words) {
    int inhibitor = inhibit_shutdown("Packages are changed"), r;
    bool script_failed = false;

    r = run(w, words, &script_failed);
    dnf_mark_clear();
    safe_close(inhibitor);
    return r != 0 || script_failed || tool_is_cancelled() ? fail(w, r, "dnf has not done all of it")
                                                          : 0;
}
