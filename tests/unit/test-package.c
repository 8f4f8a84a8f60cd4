/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that names that mean more than a name are refused, that what apt and dpkg were recorded to
 * print is read, that two lists give the changes between them, and that a repository's file has its
 * key and nothing that was not asked for. */
#include <glib.h>

#include "package/apt-text.h"
#include "package/process.h"
#include "package/repository.h"
#include "package/request.h"

static void test_names(void) {
    static const char *const good[] = {"nginx", "libstdc++6", "python3.11",
                                       "g++",   "libc6:i386", "0ad"};
    static const char *const bad[] = {"",   "a",     "-oX",     "Nginx", "a b",  "a=1",
                                      "a*", "lib.*", "a/b",     "x:",    "x:-a", "x:i 6",
                                      "+x", "a\n",   "./x.deb", "a;b"};

    for (size_t i = 0; i < ELEMENTSOF(good); i++)
        g_assert_true(package_name_is_valid(PACKAGE_DEB, good[i]));
    for (size_t i = 0; i < ELEMENTSOF(bad); i++)
        g_assert_false(package_name_is_valid(PACKAGE_DEB, bad[i]));
    g_assert_true(package_name_is_valid(PACKAGE_RPM, "NetworkManager"));
    g_assert_true(package_name_is_valid(PACKAGE_RPM, "perl_x"));
    g_assert_false(package_name_is_valid(PACKAGE_RPM, "-x"));
    g_assert_false(package_name_is_valid(PACKAGE_RPM, "@group"));
    g_assert_false(package_name_is_valid(PACKAGE_RPM, "/bin/sh"));
    g_assert_true(package_version_is_valid("1:2.36-9+deb12u4~x"));
    g_assert_false(package_version_is_valid("-1"));
    g_assert_false(package_version_is_valid("1 2"));
    g_assert_true(package_pattern_is_valid("lib[a-z]*"));
    g_assert_false(package_pattern_is_valid("--x"));
}

static void test_dependents(void) {
    static const char release[] = "6.1.0-18-amd64";

    g_assert_cmpstr(package_find_dependent("dcm-agent", release), ==, "the agent");
    g_assert_cmpstr(package_find_dependent("sudo", release), ==, "sudo");
    g_assert_cmpstr(package_find_dependent("linux-image-amd64", release), ==, "the kernel");
    g_assert_cmpstr(package_find_dependent("linux-image-6.1.0-18-amd64", release), ==,
                    "the kernel");
    g_assert_null(package_find_dependent("linux-image-6.1.0-9-amd64", release));
    g_assert_null(package_find_dependent("sudo-ldap-doc", release));
    g_assert_null(package_find_dependent("nginx", release));
    g_assert_true(package_is_newer_kernel("linux-image-6.1.0-21-amd64", release));
    g_assert_false(package_is_newer_kernel("linux-image-6.1.0-9-amd64", release));
    g_assert_false(package_is_newer_kernel("linux-image-6.1.0-21-cloud", release));
    g_assert_false(package_is_newer_kernel("linux-image-amd64", release));
}

static void test_list(void) {
    _cleanup_(package_list_done) PackageList l = {}, broken = {}, removed = {};

    g_assert_cmpint(package_list_parse("zlib1g\tamd64\t1:1.2.13\tii \n"
                                       "gone\tall\t1\trc \n"
                                       "bash\tamd64\t5.2\thi \n"
                                       "half\tall\t2\tiF \n"
                                       "never\tall\t\tun \n",
                                       false, &l),
                    ==, 0);
    g_assert_cmpuint(l.n, ==, 3);
    g_assert_cmpstr(l.items[0].name, ==, "bash");
    g_assert_true(l.items[0].is_held && !l.items[0].is_half);
    g_assert_true(package_list_find(&l, "half")->is_half);
    g_assert_nonnull(package_list_find(&l, "zlib1g:amd64"));
    g_assert_null(package_list_find(&l, "zlib1g:i386"));
    g_assert_null(package_list_find(&l, "zlib"));
    g_assert_cmpint(package_list_parse("no tabs\n", false, &broken), ==, -EBADMSG);
    g_assert_cmpint(package_list_parse("gone\tall\t1\trc \n"
                                       "never\tall\t\tun \n",
                                       true, &removed),
                    ==, 0);
    g_assert_cmpuint(removed.n, ==, 1);
    g_assert_false(removed.items[0].is_half);
}

static void test_changes(void) {
    _cleanup_(package_list_done) PackageList before = {}, after = {};
    _cleanup_(package_changes_done) PackageChanges c = {};
    _cleanup_json_ struct json_object *o = NULL;

    g_assert_cmpint(
        package_list_parse("a\tall\t1\tii \nb\tall\t1\tii \nd\tall\t1\tii \nk\tall\t1\tii \n",
                           false, &before),
        ==, 0);
    g_assert_cmpint(
        package_list_parse("a\tall\t1\tii \nb\tall\t2\tii \nc\tall\t7\tii \nk\tall\t1\tii \n"
                           "k\tall\t2\tii \n",
                           false, &after),
        ==, 0);
    g_assert_cmpint(package_changes_compare(&before, &after, &c), ==, 0);
    g_assert_cmpint(package_changes_to_json(&c, &o), ==, 0);
    g_assert_cmpstr(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN), ==,
                    "[{\"name\":\"b\",\"architecture\":\"all\",\"from\":\"1\",\"to\":\"2\"},"
                    "{\"name\":\"c\",\"architecture\":\"all\",\"from\":null,\"to\":\"7\"},"
                    "{\"name\":\"d\",\"architecture\":\"all\",\"from\":\"1\",\"to\":null},"
                    "{\"name\":\"k\",\"architecture\":\"all\",\"from\":null,\"to\":\"2\"}]");
}

static void test_plan(void) {
    _cleanup_(package_changes_done) PackageChanges c = {}, broken = {};

    g_assert_cmpint(apt_plan_parse("Reading package lists...\n"
                                   "Remv rival [1.0]\n"
                                   "Inst libc6:i386 [2.36-9] (2.36-9+deb12u4 Debian:12.5/stable, "
                                   "Debian-Security:12/stable-security [i386]) []\n"
                                   "Inst plain (2.0 Main:main [all])\n"
                                   "Inst own (1 [amd64])\n"
                                   "Conf plain (2.0 Main:main [all])\n"
                                   "Purg left \n",
                                   &c),
                    ==, 0);
    g_assert_cmpuint(c.n, ==, 5);
    g_assert_cmpstr(c.items[4].name, ==, "left");
    g_assert_true(!c.items[4].from && !c.items[4].to);
    g_assert_cmpstr(c.items[0].from, ==, "1.0");
    g_assert_null(c.items[0].to);
    g_assert_cmpstr(c.items[1].name, ==, "libc6");
    g_assert_cmpstr(c.items[1].architecture, ==, "i386");
    g_assert_cmpstr(c.items[1].from, ==, "2.36-9");
    g_assert_cmpstr(c.items[1].to, ==, "2.36-9+deb12u4");
    g_assert_cmpstr(c.items[1].origin, ==,
                    "Debian:12.5/stable, Debian-Security:12/stable-security");
    g_assert_cmpstr(c.items[2].origin, ==, "Main:main");
    g_assert_null(c.items[2].from);
    g_assert_null(c.items[3].origin);
    g_assert_cmpint(apt_plan_parse("Inst plain\n", &broken), ==, -EBADMSG);
    g_assert_cmpint(apt_plan_parse("Remv plain\n", &broken), ==, -EBADMSG);
    g_assert_cmpint(apt_plan_parse("Remv :all [1.0]\n", &broken), ==, -EBADMSG);
    g_assert_cmpint(apt_plan_parse("Inst :all (1 [all])\n", &broken), ==, -EBADMSG);
}

static void test_status(void) {
    char download[] = "dlstatus:1:44.4444:Retrieving file 1 of 2",
         package[] = "pmstatus:nginx:40.0000:Unpacking nginx (amd64)",
         error[] = "pmerror:/var/cache/x.deb:60:subprocess returned error: 1",
         other[] = "media-change:x:y:z", broken[] = "pmstatus:nginx:x:y";
    AptStatus s;

    g_assert_true(apt_status_parse(download, &s));
    g_assert_cmpint(s.kind, ==, APT_STATUS_DOWNLOAD);
    g_assert_cmpuint(s.percent, ==, 44);
    g_assert_true(apt_status_parse(package, &s));
    g_assert_cmpstr(s.package, ==, "nginx");
    g_assert_cmpstr(s.text, ==, "Unpacking nginx (amd64)");
    g_assert_true(apt_status_parse(error, &s));
    g_assert_cmpint(s.kind, ==, APT_STATUS_ERROR);
    g_assert_cmpstr(s.text, ==, "subprocess returned error: 1");
    g_assert_false(apt_status_parse(other, &s));
    g_assert_false(apt_status_parse(broken, &s));
    g_assert_cmpstr(apt_find_reason("E: Unable to locate package x"), ==,
                    "Unable to locate package x");
    g_assert_nonnull(apt_find_reason("dpkg: error processing package x (--configure):"));
    g_assert_null(apt_find_reason("W: it may be"));
    g_assert_cmpstr(apt_find_reason(" user : Depends: library but it is not installable"), ==,
                    "user : Depends: library but it is not installable");
    g_assert_null(apt_find_reason("  a : b: c"));
    g_assert_null(apt_find_reason("E: The following information from --solver 3.0 may provide"));
}

/* The newest security version counts, even below a newer one of another repository, but never one
 * that is not above the installed one. */
static void test_security(void) {
    _cleanup_(apt_sources_done) AptSources sources = {};
    _cleanup_(apt_candidates_done) AptCandidates c = {};

    g_assert_cmpint(
        apt_sources_parse("Package files:\n"
                          " 100 /var/lib/dpkg/status\n"
                          "     release a=now\n"
                          " 500 http://b.example.org/os stable-security/main amd64 Packages\n"
                          "     release v=12,o=Debian,a=stable-security,n=stable-security,"
                          "l=Debian-Security,c=main,b=amd64\n"
                          "     origin b.example.org\n"
                          " 500 http://a.example.org/os stable/main amd64 Packages\n"
                          "     release v=12.5,o=Debian,a=stable,n=stable,l=Debian,c=main,b=amd64\n"
                          "Pinned packages:\n",
                          &sources),
        ==, 0);
    g_assert_cmpuint(sources.n, ==, 1);
    g_assert_cmpint(apt_candidates_parse(
                        "openssl:\n"
                        "  Installed: 3.0.9-1\n"
                        "  Candidate: 3.1.0-1\n"
                        "  Version table:\n"
                        "     3.1.0-1 500\n"
                        "        500 http://a.example.org/os stable/main amd64 Packages\n"
                        "     3.0.11-1~deb12u2 500\n"
                        "        500 http://b.example.org/os stable-security/main amd64 Packages\n"
                        " *** 3.0.9-1 100\n"
                        "        100 /var/lib/dpkg/status\n"
                        "     3.0.8-1 500\n"
                        "        500 http://b.example.org/os stable-security/main amd64 Packages\n"
                        "patched:\n"
                        "  Installed: 2\n"
                        "  Candidate: 2\n"
                        "  Version table:\n"
                        " *** 2 500\n"
                        "        500 http://b.example.org/os stable-security/main amd64 Packages\n"
                        "        100 /var/lib/dpkg/status\n"
                        "absent:\n"
                        "  Installed: (none)\n"
                        "  Candidate: (none)\n"
                        "  Version table:\n",
                        &sources, &c),
                    ==, 0);
    g_assert_cmpuint(c.n, ==, 3);
    g_assert_cmpstr(apt_candidates_find(&c, "openssl")->security, ==, "3.0.11-1~deb12u2");
    g_assert_cmpuint(apt_candidates_find(&c, "openssl")->n_versions, ==, 4);
    g_assert_null(apt_candidates_find(&c, "patched")->security);
    g_assert_null(apt_candidates_find(&c, "absent")->candidate);
    g_assert_null(apt_candidates_find(&c, "no"));
}

#define KEY "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nabc=\n-----END PGP PUBLIC KEY BLOCK-----\n"

static void test_repository(void) {
    g_autofree char *text = g_strdup_printf(
        "{\"name\": \"tools\", \"uri\": \"https://x.example/deb\", \"suite\": \"stable\", "
        "\"components\": [\"main\", \"extra\"], \"key\": \"%s\"}",
        "-----BEGIN PGP PUBLIC KEY BLOCK-----\\n\\nabc=\\n-----END PGP PUBLIC KEY BLOCK-----\\n");
    _cleanup_(repository_done) Repository r = {};
    _cleanup_json_ struct json_object *o = NULL;
    _cleanup_free_ char *deb = NULL, *repo = NULL, *problem = NULL;

    g_assert_cmpint(json_parse(text, strlen(text), &o), ==, 0);
    g_assert_cmpint(repository_parse(o, PACKAGE_DEB, &r, &problem), ==, 0);
    g_assert_cmpint(repository_write_deb822(&r, "/k.asc", &deb), ==, 0);
    g_assert_true(g_str_has_suffix(deb,
                                   "\nTypes: deb\nURIs: https://x.example/deb\nSuites: stable\n"
                                   "Components: main extra\nSigned-By: /k.asc\n"));
    g_assert_true(repository_is_ours(deb, "tools"));
    g_assert_false(repository_is_ours(deb, "tool"));
    g_assert_false(repository_is_ours("Types: deb\n", "tools"));
    g_assert_cmpint(repository_write_repo(&r, "/k.asc", &repo), ==, 0);
    g_assert_nonnull(strstr(repo, "\ngpgcheck=1\nrepo_gpgcheck=1\ngpgkey=file:///k.asc\n"));
    g_assert_true(repository_key_is_valid(KEY));
    g_assert_false(repository_key_is_valid("x" KEY));
    g_assert_false(repository_key_is_valid(KEY "-----BEGIN PGP PRIVATE KEY BLOCK-----"));
    g_assert_false(repository_uri_is_valid("https://u:p@x/"));
    g_assert_false(repository_uri_is_valid("https://allowed/,https://x/"));
    g_assert_false(repository_uri_is_valid("https://x/allowed/../other/"));
    g_assert_false(repository_uri_is_valid("https://x/allowed/%2E%2e/other/"));
    g_assert_false(repository_uri_is_valid("https://x/\nTrusted: yes"));
    g_assert_false(repository_uri_is_valid("cdrom:/x"));
    g_assert_false(repository_name_is_valid("../x"));
}

static void test_processes(void) {
    _cleanup_free_ char *service = NULL, *none = NULL;

    g_assert_true(
        process_line_is_stale("7f1-7f2 r-xp 00001000 08:01 42   /usr/lib/libz.so.1 (deleted)"));
    g_assert_false(
        process_line_is_stale("7f1-7f2 r--p 00001000 08:01 42   /usr/lib/libz.so.1 (deleted)"));
    g_assert_false(process_line_is_stale("7f1-7f2 r-xp 00001000 08:01 42   /usr/lib/libz.so.1"));
    g_assert_false(process_line_is_stale("7f1-7f2 rwxp 00001000 00:01 42   /memfd:x (deleted)"));
    g_assert_false(process_line_is_stale("7f1-7f2 r-xp 00001000 00:01 42   /tmp/x (deleted)"));
    g_assert_false(process_line_is_stale(""));
    g_assert_cmpint(process_find_service("0::/system.slice/nginx.service\n", &service), ==, 0);
    g_assert_cmpstr(service, ==, "nginx.service");
    g_assert_cmpint(process_find_service("0::/user.slice/session-1.scope\n", &none), ==, 0);
    g_assert_cmpstr(none, ==, "");
    g_assert_true(process_service_is_kept("dcm-agent.service"));
    g_assert_true(process_service_is_kept("systemd-logind.service"));
    g_assert_false(process_service_is_kept("nginx.service"));
}

static void test_requests(void) {
    static const struct {
        const char *text;
        PackageVerb verb;
        const char *word; /* in the problem; NULL: it is good */
    } cases[] = {
        {"{\"packages\": [\"nginx=1.2\", \"curl\"]}", PACKAGE_INSTALL, NULL},
        {"{\"packages\": [\"nginx=1.2\"]}", PACKAGE_REMOVE, "version"},
        {"{\"packages\": [\"n*\"]}", PACKAGE_LIST, NULL},
        {"{\"packages\": [\"n*\"]}", PACKAGE_INSTALL, "n*"},
        {"{}", PACKAGE_UPDATE, NULL},
        {"{}", PACKAGE_INSTALL, "missing"},
        {"{\"purge\": true}", PACKAGE_UPDATE, "purge"},
        {"{\"lock_timeout\": 3601}", PACKAGE_UPDATE, "lock_timeout"},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_(package_request_done) PackageRequest q = {};
        _cleanup_json_ struct json_object *o = NULL;
        _cleanup_free_ char *problem = NULL;

        g_assert_cmpint(json_parse(cases[i].text, strlen(cases[i].text), &o), ==, 0);
        g_assert_cmpint(package_request_parse(o, cases[i].verb, PACKAGE_DEB, &q, &problem), ==,
                        cases[i].word ? -EINVAL : 0);
        g_assert_true(!cases[i].word || strstr(problem, cases[i].word));
    }
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/package/names", test_names);
    g_test_add_func("/package/dependents", test_dependents);
    g_test_add_func("/package/list", test_list);
    g_test_add_func("/package/changes", test_changes);
    g_test_add_func("/package/plan", test_plan);
    g_test_add_func("/package/status", test_status);
    g_test_add_func("/package/security", test_security);
    g_test_add_func("/package/repository", test_repository);
    g_test_add_func("/package/processes", test_processes);
    g_test_add_func("/package/requests", test_requests);
    return g_test_run();
}
