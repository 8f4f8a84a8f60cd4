/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that what dnf 4 and rpm were recorded to print is read: the table of a transaction, also
 * where a column was too narrow, progress, reasons, versions, the history of a run that was cut
 * off, and the list of versionlock. */
#include <glib.h>

#include "basic/strv.h"
#include "package/dnf-text.h"
#include "package/name.h"
#include "package/repository.h"

static void read_list(PackageList *ret) {
    g_assert_cmpint(package_list_parse("gpg-pubkey\t(none)\t2cdc333c-6b0fae51\tii \t1700000000\n"
                                       "kernel-core\tx86_64\t6.1-1\tii \t1700000000\n"
                                       "plain\tnoarch\t1.0-1\tii \t1700000001\n"
                                       "epoch\tx86_64\t1:2.0-1\tii \t1700000002\n"
                                       "old\tnoarch\t0.9-3\tii \t1700000003\n",
                                       false, ret),
                    ==, 0);
}

static void test_list(void) {
    _cleanup_(package_list_done) PackageList l = {};

    read_list(&l);
    g_assert_cmpuint(l.n, ==, 4); /* keys are no packages */
    g_assert_cmpint(package_list_find(&l, "plain")->installed_sec, ==, 1700000001);
    g_assert_false(package_list_find(&l, "plain")->is_half);
}

#define HEAD                                                                                       \
    "Last metadata expiration check: 0:00:02 ago on Wed Dec  2 05:37:59 2026.\n"                   \
    "Dependencies resolved.\n"                                                                     \
    "==========================================================\n"                                 \
    " Package     Arch    Version   Repo\n"                                                        \
    "                                  Size\n"                                                     \
    "==========================================================\n"
#define TAIL "\nTransaction Summary\n====\nInstall  3 Packages\n"

static void test_plan(void) {
    _cleanup_(package_list_done) PackageList before = {};
    _cleanup_(package_changes_done) PackageChanges c = {};

    read_list(&before);
    g_assert_cmpint(dnf_plan_parse(HEAD "Installing:\n"
                                        " kernel-core noarch 6.2-1 updates  6.4 k\n"
                                        " a-very-long-name-that-is-longer-than-its-column\n"
                                        "             noarch  1.0-1 m  6.4 k\n"
                                        "     replacing  old.noarch 0.9-3\n"
                                        "Upgrading:\n"
                                        " epoch  x86_64  1:3.0-1 updates  5 M\n"
                                        "Downgrading:\n"
                                        " plain noarch 0.5-1 m  5.9 k\n"
                                        "Removing dependent packages:\n"
                                        " other noarch 2-1 @System 3  \n"
                                        "Skipping packages with conflicts:\n"
                                        "(add '--best --allowerasing' to command line)\n"
                                        " skipped noarch 1-1 m 3 k\n" TAIL,
                                   &before, &c),
                    ==, 0);
    g_assert_cmpuint(c.n, ==, 6);
    g_assert_cmpstr(c.items[0].name, ==, "kernel-core");
    g_assert_null(c.items[0].from); /* one more, not an update */
    g_assert_cmpstr(c.items[1].to, ==, "1.0-1");
    g_assert_cmpstr(c.items[1].origin, ==, "m");
    g_assert_cmpstr(c.items[2].name, ==, "old");
    g_assert_cmpstr(c.items[2].from, ==, "0.9-3");
    g_assert_null(c.items[2].to);
    g_assert_cmpstr(c.items[3].from, ==, "1:2.0-1");
    g_assert_false(c.items[3].is_downgrade);
    g_assert_true(c.items[4].is_downgrade);
    g_assert_cmpstr(c.items[5].from, ==, "2-1");
    g_assert_null(c.items[5].origin);
}

static void test_other_plans(void) {
    static const char *const broken[] = {HEAD "Installing:\n plain noarch\n" TAIL,
                                         HEAD "Installing:\n plain\n other noarch 1 m\n" TAIL,
                                         HEAD "Installing:\n     replacing  old.noarch 1\n" TAIL};
    _cleanup_(package_changes_done) PackageChanges c = {};
    PackageList none = {};

    g_assert_cmpint(
        dnf_plan_parse("Dependencies resolved.\nNothing to do.\nComplete!\n", &none, &c), ==, 0);
    g_assert_cmpint(dnf_plan_parse("Package x is already installed.\n", &none, &c), ==, 0);
    g_assert_cmpuint(c.n, ==, 0);
    for (size_t i = 0; i < ELEMENTSOF(broken); i++)
        g_assert_cmpint(dnf_plan_parse(broken[i], &none, &c), ==, -EBADMSG);
}

static void test_status(void) {
    static const char *const none[] = {"  Preparing        :                     1/1 ",
                                       "Installing:",
                                       " plain              noarch      2.0-1    m   5.9 k",
                                       "  Installing       : plain-2.0-1.noarch  5/2 ",
                                       "(x/2): plain.rpm",
                                       "  - nothing: provides 1/",
                                       ""};
    DnfStatus s;

    g_assert_true(dnf_status_parse("(1/4): plain-1.0-1.noarch.rpm   5.8 MB/s | 6.0 kB  00:00", &s));
    g_assert_cmpint(s.kind, ==, DNF_STATUS_DOWNLOAD);
    g_assert_cmpuint(s.percent, ==, 25);
    g_assert_true(dnf_status_parse("  Running scriptlet: plain-1.0-1.noarch      1/2 ", &s));
    g_assert_cmpint(s.kind, ==, DNF_STATUS_TRANSACTION);
    g_assert_cmpuint(s.percent, ==, 50);
    g_assert_cmpstr(s.text, ==, "running scriptlet plain-1.0-1.noarch");
    g_assert_true(dnf_status_parse("  Verifying        : plain-1.0-1.noarch      2/2 ", &s));
    g_assert_cmpint(s.kind, ==, DNF_STATUS_VERIFICATION);
    for (size_t i = 0; i < ELEMENTSOF(none); i++)
        g_assert_false(dnf_status_parse(none[i], &s));
    g_assert_true(dnf_line_begins_transaction("Running transaction"));
    g_assert_false(dnf_line_begins_transaction("Running transaction check"));
}

static void test_reasons(void) {
    g_assert_cmpstr(dnf_find_reason("Error: Unable to find a match: x"), ==,
                    "Unable to find a match: x");
    g_assert_null(dnf_find_reason("Error: "));
    g_assert_cmpstr(dnf_find_reason("  - package a-1 conflicts with b"), ==,
                    "package a-1 conflicts with b");
    g_assert_nonnull(dnf_find_reason("Package x-1.0-1.noarch.rpm is not signed"));
    g_assert_null(dnf_find_reason("Package x-1.0-1.noarch is already installed."));
    g_assert_true(
        dnf_line_is_of_script("warning: %post(x-1-1.noarch) scriptlet failed, exit status 1"));
    g_assert_false(dnf_line_is_of_script("warning: /etc/x created as /etc/x.rpmnew"));
}

static void test_available(void) {
    static const char text[] = "plain\tnoarch\t1.0-1\tm\nplain\tnoarch\t1:2.0-3\tm\n"
                               "plain-doc\tnoarch\t7-1\tm\nbroken\n";
    static const struct {
        const char *name, *version;
        bool found;
    } cases[] = {{"plain", "", true},        {"plain", "1.0", true},   {"plain", "1.0-1", true},
                 {"plain", "2.0", true},     {"plain", "1:2.0", true}, {"plain", "1:2.0-3", true},
                 {"plain", "2.0-3", true},   {"plain", "2", false},    {"plain", "1.0-2", false},
                 {"plain", "2:2.0", false},  {"plai", "", false},      {"broken", "", false},
                 {"plain-doc", "1.0", false}};
    const char *newest;

    for (size_t i = 0; i < ELEMENTSOF(cases); i++)
        g_assert_cmpint(dnf_find_available(text, cases[i].name, cases[i].version, &newest), ==,
                        cases[i].found);
    (void)dnf_find_available(text, "plain", "9", &newest);
    g_assert_true(g_str_has_prefix(newest, "1:2.0-3\t"));
}

#define ALTERED                                                                                    \
    "Return-Code    : Failure: 1\n"                                                                \
    "Packages Altered:\n"                                                                          \
    " ** Install  lasting-1.0-1.noarch @m\n"                                                       \
    " ** Upgrade  plain-2.0-1.noarch   @m\n"                                                       \
    " ** Upgraded plain-1.0-1.noarch   @@System\n"                                                 \
    " ** Removed  old-1-1.noarch       @@System\n"                                                 \
    "    Install  done-1-1.noarch      @m\n"

static void test_history(void) {
    _cleanup_(dnf_unfinished_done) DnfUnfinished cut = {}, whole = {}, all = {};

    g_assert_cmpint(
        dnf_history_parse("Transaction ID : 9\nEnd rpmdb      :  **\n" ALTERED, false, &cut), ==,
        0);
    g_assert_cmpuint(cut.n_installed, ==, 2);
    g_assert_cmpstr(cut.installed[0], ==, "lasting-1.0-1.noarch");
    g_assert_cmpstr(cut.installed[1], ==, "plain-2.0-1.noarch");
    g_assert_cmpuint(cut.n_removed, ==, 1);
    g_assert_cmpstr(cut.removed[0], ==, "old-1-1.noarch");
    g_assert_cmpint(dnf_history_parse("End rpmdb      : 741ae4d9\n" ALTERED, false, &whole), ==, 0);
    g_assert_null(whole.installed);
    g_assert_null(whole.removed);
    g_assert_cmpint(dnf_history_parse("End rpmdb      : 741ae4d9\n" ALTERED, true, &all), ==, 0);
    g_assert_cmpuint(all.n_installed, ==, 3);
    g_assert_cmpstr(all.installed[2], ==, "done-1-1.noarch");
    g_assert_cmpuint(all.n_removed, ==, 1);
}

static void test_lost_content(void) {
    g_assert_cmpstr(dnf_find_lost_content("S.5......  c /etc/phases.conf"), ==, "/etc/phases.conf");
    g_assert_cmpstr(dnf_find_lost_content("..5......  c /etc/a b"), ==, "/etc/a b");
    /* changed by the administrator; no configuration; other rights; gone; nothing */
    g_assert_null(dnf_find_lost_content("S.5....T.  c /etc/phases.conf"));
    g_assert_null(dnf_find_lost_content("S.5......    /usr/bin/true"));
    g_assert_null(dnf_find_lost_content(".M.......  c /etc/phases.conf"));
    g_assert_null(dnf_find_lost_content("missing    c /etc/phases.conf"));
    g_assert_null(dnf_find_lost_content("S.5......  c "));
    g_assert_null(dnf_find_lost_content(""));
}

static void test_locks(void) {
    _cleanup_(package_list_done) PackageList l = {};

    read_list(&l);
    g_assert_cmpint(dnf_mark_held(&l, "\n# Added lock on Wed Dec  2 05:40:10 2026\n"
                                      "plain-0:1.0-1.*\nepoch-1:2.0-1.*\n!old-0:0.9-3.*\n"
                                      "kernel-core-0:5.0-1.*\n"),
                    ==, 0);
    g_assert_true(package_list_find(&l, "plain")->is_held);
    g_assert_true(package_list_find(&l, "epoch")->is_held);
    g_assert_false(package_list_find(&l, "old")->is_held);
    g_assert_false(package_list_find(&l, "kernel-core")->is_held);
}

static void test_names(void) {
    g_assert_true(package_needs_reboot("glibc"));
    g_assert_false(package_needs_reboot("glibc-doc"));
    g_assert_cmpstr(package_find_dependent("dnf", "6.1"), ==, "the package manager");
}

static void test_repository(void) {
    Repository r = {.name = (char *)"x", .uri = (char *)"file:/srv/x"};
    _cleanup_free_ char *text = NULL, *other = NULL;

    g_assert_cmpint(repository_write_repo(&r, "/k", &text), ==, 0);
    g_assert_nonnull(strstr(text, "\nbaseurl=file:///srv/x\n"));
    g_assert_nonnull(strstr(text, "\ngpgcheck=1\nrepo_gpgcheck=1\n"));
    r.uri = (char *)"https://x.example/";
    r.has_unsigned_list = true;
    g_assert_cmpint(repository_write_repo(&r, "/k", &other), ==, 0);
    g_assert_nonnull(strstr(other, "\nbaseurl=https://x.example/\n"));
    g_assert_nonnull(strstr(other, "\ngpgcheck=1\nrepo_gpgcheck=0\n"));
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/package-dnf/list", test_list);
    g_test_add_func("/package-dnf/plan", test_plan);
    g_test_add_func("/package-dnf/other-plans", test_other_plans);
    g_test_add_func("/package-dnf/status", test_status);
    g_test_add_func("/package-dnf/reasons", test_reasons);
    g_test_add_func("/package-dnf/available", test_available);
    g_test_add_func("/package-dnf/history", test_history);
    g_test_add_func("/package-dnf/lost-content", test_lost_content);
    g_test_add_func("/package-dnf/locks", test_locks);
    g_test_add_func("/package-dnf/names", test_names);
    g_test_add_func("/package-dnf/repository", test_repository);
    return g_test_run();
}
