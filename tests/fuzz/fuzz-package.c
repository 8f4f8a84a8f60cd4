/* SPDX-License-Identifier: Apache-2.0 */
/* What dcm-package reads: lists of packages, what apt and dnf print, requests, repositories.
 * Whatever is accepted is within the bounds; a name is never an option or an expression, and no
 * argument adds a line to the file of a repository. */
#include "basic/bounds.h"
#include "basic/strv.h"
#include "fuzz.h"
#include "package/apt-text.h"
#include "package/dnf-text.h"
#include "package/process.h"
#include "package/repository.h"
#include "package/request.h"

static void check_list(const char *text) {
    _cleanup_(package_list_done) PackageList l = {}, none = {};
    _cleanup_(package_changes_done) PackageChanges c = {}, same = {};

    if (package_list_parse(text, false, &l) < 0)
        return;
    CHECK(package_changes_compare(&none, &l, &c) == 0 && c.n == l.n);
    CHECK(package_changes_compare(&l, &l, &same) == 0 && same.n == 0);
    for (size_t i = 0; i < l.n; i++)
        CHECK(*l.items[i].name && !strchr(l.items[i].name, '\n'));
}

static void check_apt(const char *text) {
    _cleanup_(package_changes_done) PackageChanges plan = {};
    _cleanup_(apt_candidates_done) AptCandidates c = {};
    _cleanup_(apt_sources_done) AptSources sources = {};

    if (apt_plan_parse(text, &plan) >= 0)
        for (size_t i = 0; i < plan.n; i++)
            CHECK(*plan.items[i].name && (plan.items[i].from || plan.items[i].to));
    CHECK(apt_sources_parse(text, &sources) >= 0 || sources.n == 0);
    if (apt_candidates_parse(text, &sources, &c) < 0)
        return;
    for (size_t i = 0; i < c.n; i++)
        CHECK(c.items[i].n_versions <= PACKAGE_VERSIONS_MAX &&
              (!c.items[i].security || c.items[i].installed));
}

static void check_dnf(const char *text) {
    _cleanup_(package_changes_done) PackageChanges plan = {};
    _cleanup_(package_list_done) PackageList l = {};
    _cleanup_(dnf_unfinished_done) DnfUnfinished some = {}, all = {};
    const char *newest;
    DnfStatus s;

    if (package_list_parse(text, false, &l) < 0)
        CHECK(package_list_parse("a\tnoarch\t1-1\tii \t1\n", false, &l) == 0);
    if (dnf_plan_parse(text, &l, &plan) >= 0)
        for (size_t i = 0; i < plan.n; i++)
            CHECK(*plan.items[i].name && (plan.items[i].from || plan.items[i].to));
    if (dnf_status_parse(text, &s))
        CHECK(s.percent <= 100 && strlen(s.text) < sizeof(s.text));
    (void)dnf_find_reason(text);
    (void)dnf_find_lost_content(text);
    CHECK(!dnf_find_available(text, "a", "", &newest) || newest);
    CHECK(dnf_history_parse(text, false, &some) == 0);
    CHECK(dnf_history_parse(text, true, &all) == 0);
    CHECK(some.n_installed <= all.n_installed && some.n_removed <= all.n_removed);
    CHECK(dnf_mark_held(&l, text) == 0);
}

static void check_lines(const char *text) {
    _cleanup_free_ char *copy = strdup(text), *service = NULL;
    AptStatus s;

    CHECK(copy);
    if (apt_status_parse(copy, &s))
        CHECK(s.percent <= 100 && s.package && s.text);
    (void)apt_find_reason(text);
    (void)process_line_is_stale(text);
    CHECK(process_find_service(text, &service) == 0 && !strchr(service, '/'));
}

static void check_request(struct json_object *o) {
    for (PackageVerb v = 0; v < _PACKAGE_VERB_MAX; v++) {
        _cleanup_(package_request_done) PackageRequest q = {};
        _cleanup_free_ char *problem = NULL;
        int r = package_request_parse(o, v, PACKAGE_DEB, &q, &problem);

        CHECK((r == 0 || r == -EINVAL) && (r == 0) == (problem == NULL));
        for (size_t i = 0; r == 0 && i < q.n; i++)
            CHECK(*q.names[i] != '-' && *q.versions[i] != '-' && !strchr(q.names[i], ' '));
    }
}

static size_t count_lines(const char *text) {
    size_t n = 0;

    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static void check_repository(struct json_object *o) {
    _cleanup_(repository_done) Repository r = {};
    _cleanup_free_ char *problem = NULL, *deb = NULL, *repo = NULL;

    if (repository_parse(o, PACKAGE_DEB, &r, &problem) < 0)
        return;
    CHECK(repository_write_deb822(&r, "/k", &deb) == 0 &&
          repository_write_repo(&r, "/k", &repo) == 0);
    CHECK(count_lines(deb) == 5 + (r.components != NULL) && count_lines(repo) == 8);
    CHECK(repository_is_ours(deb, r.name) && repository_is_ours(repo, r.name));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_free_ char *text = calloc(1, size + 1);
    _cleanup_json_ struct json_object *o = NULL;

    CHECK(text);
    if (size > 0)
        memcpy(text, data, size);
    check_list(text);
    check_apt(text);
    check_dnf(text);
    check_lines(text);
    if (json_parse((const char *)data, size, &o) >= 0 && json_object_is_type(o, json_type_object)) {
        check_request(o);
        check_repository(o);
    }
    return 0;
}
