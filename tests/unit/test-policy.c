/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that the policy allows everything by default, that each rule forbids what it names, that
 * limits are those of the command, and that a policy which is not understood is none. */
#include <glib.h>
#include <glib/gstdio.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "site/policy.h"
#include "temporary.h"

static int load(const char *text, Policy **ret, char **ret_error) {
    char *dir = temporary_new();
    g_autofree char *file = g_build_filename(dir, "policy.conf", NULL);
    g_autofree char *dropins = g_build_filename(dir, "policy.conf.d", NULL);
    int r;

    if (text)
        temporary_write(dir, "policy.conf", text, strlen(text));
    r = policy_load(file, dropins, ret, ret_error);
    temporary_remove(&dir);
    return r;
}

static void test_rules(void) {
    static const struct {
        const char *text;
        PolicyOrder order;
        const char *rule; /* NULL: allowed */
    } cases[] = {
        {NULL, {"run_script", "root", true}, NULL},
        {"", {"run_script", "root", true}, NULL},
        {"[policy]\ndeny_commands = run_script\n", {"run_script", "dcm", true}, "deny_commands"},
        {"[policy]\ndeny_commands = x, run_*\n", {"run_script", "dcm", true}, "deny_commands"},
        {"[policy]\ndeny_commands = run\n", {"run_script", "dcm", true}, NULL},
        {"[policy]\nallow_commands = a b\n", {"run_script", "dcm", true}, "allow_commands"},
        {"[policy]\nallow_commands = a b\n", {"b", "dcm", false}, NULL},
        {"[policy]\nallow_commands =\n", {"run_script", "dcm", true}, "allow_commands"},
        {"[policy]\nallow_users = dcm\n", {"run_script", "root", true}, "allow_users"},
        {"[policy]\nallow_users = dcm\n", {"run_script", "dcm", true}, NULL},
        {"[policy]\nallow_scripts = no\n", {"run_script", "dcm", true}, "allow_scripts"},
        {"[policy]\nallow_scripts = no\n", {"rename", "root", false}, NULL},
        {"[policy]\nallow_root_scripts = no\n", {"run_script", "root", true}, "allow_root_scripts"},
        {"[policy]\nallow_root_scripts = no\n", {"run_script", "dcm", true}, NULL},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_(policy_freep) Policy *p = NULL;
        const char *rule = NULL;
        char *error = NULL;

        g_assert_cmpint(load(cases[i].text, &p, &error), ==, 0);
        g_assert_cmpint(policy_allows(p, &cases[i].order, &rule), ==, !cases[i].rule);
        g_assert_cmpstr(rule, ==, cases[i].rule);
    }
}

/* Rules about packages: kinds, names, also in consequence, and addresses. */
static void test_packages(void) {
    _cleanup_(policy_freep) Policy *p = NULL, *open = NULL;
    _cleanup_free_ char *error = NULL;
    const char *rule = NULL;

    g_assert_cmpint(load("", &open, &error), ==, 0);
    for (PackageChangeKind k = 0; k < _PACKAGE_CHANGE_MAX; k++)
        g_assert_true(policy_allows_package_change(open, k, &rule));
    g_assert_true(policy_allows_package(open, "nginx", false, &rule));
    g_assert_true(policy_allows_repository(open, "https://x/", &rule));
    g_assert_cmpint(load("[policy]\nallow_package_changes = update hold\nallow_packages = nginx*\n"
                         "deny_packages = *-dev\nallow_repositories = https://x/*\n",
                         &p, &error),
                    ==, 0);
    g_assert_true(policy_allows_package_change(p, PACKAGE_CHANGE_UPDATE, &rule));
    g_assert_false(policy_allows_package_change(p, PACKAGE_CHANGE_INSTALL, &rule));
    g_assert_cmpstr(rule, ==, "allow_package_changes");
    g_assert_true(policy_allows_package(p, "nginx-core", false, &rule));
    g_assert_true(policy_allows_package(p, "libz", true, &rule));
    g_assert_false(policy_allows_package(p, "libz", false, &rule));
    g_assert_cmpstr(rule, ==, "allow_packages");
    g_assert_false(policy_allows_package(p, "nginx-dev", true, &rule));
    g_assert_cmpstr(rule, ==, "deny_packages");
    g_assert_true(policy_allows_repository(p, "https://x/deb", &rule));
    g_assert_false(policy_allows_repository(p, "http://x/deb", &rule));
    g_assert_cmpstr(rule, ==, "allow_repositories");
    p = policy_free(p);
    g_assert_cmpint(load("[policy]\nallow_package_changes = everything\n", &p, &error), ==,
                    -EINVAL);
}

/* Who is refused is told where that was set: by the last file that set it. */
static void test_places(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    g_autofree char *file = g_build_filename(dir, "policy.conf", NULL);
    g_autofree char *dropins = g_build_filename(dir, "policy.conf.d", NULL);
    g_autofree char *dropin = g_build_filename(dropins, "site.conf:2", NULL);
    g_autofree char *main_file = g_strconcat(file, ":3", NULL);
    g_autofree char *limit = g_strconcat(file, ":5", NULL);
    static const char text[] = "[policy]\nallow_scripts = no\nallow_users = dcm\n"
                               "[limits]\nnetwork = no\n[limits x]\nnetwork = yes\n";
    static const char other[] = "[policy]\nallow_scripts = no\n";
    _cleanup_(policy_freep) Policy *p = NULL;
    char *error = NULL;

    temporary_write(dir, "policy.conf", text, strlen(text));
    g_assert_cmpint(g_mkdir(dropins, 0755), ==, 0);
    temporary_write(dropins, "site.conf", other, strlen(other));
    g_assert_cmpint(policy_load(file, dropins, &p, &error), ==, 0);
    g_assert_cmpstr(policy_get_place(p, "allow_scripts"), ==, dropin);
    g_assert_cmpstr(policy_get_place(p, "allow_users"), ==, main_file);
    g_assert_null(policy_get_place(p, "deny_commands"));
    g_assert_cmpstr(policy_get_limit_place(p, "fetch_run", "network"), ==, limit);
    g_assert_true(g_str_has_suffix(policy_get_limit_place(p, "x", "network"), ":7"));
    g_assert_null(policy_get_limit_place(p, "x", "timeout"));
}

static void collect(const char *file, unsigned line, const char *text, void *userdata) {
    g_string_append_printf(userdata, "%u: %s;", line, text);
}

/* Who looks at it is told all mistakes, not only the first; a file for root alone is none. */
static void test_check(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    g_autofree char *file = g_build_filename(dir, "policy.conf", NULL);
    static const char text[] = "[policy]\nallow_script = no\nallow_scripts = never\n"
                               "[limits]\ntimeout = 1h\n";
    g_autoptr(GString) found = g_string_new(NULL);

    temporary_write(dir, "policy.conf", text, strlen(text));
    g_assert_cmpint(policy_check(file, "/nonexistent", collect, collect, found), ==, 0);
    g_assert_cmpstr(found->str, ==,
                    "2: there is no key allow_script in [policy];"
                    "3: the value of allow_scripts in [policy] is not valid: it must be yes or no;"
                    "5: the value of timeout in [limits] is not valid;");
    if (geteuid() != 0) {
        g_test_skip("only root makes files that others cannot read");
        return;
    }
    g_string_truncate(found, 0);
    g_assert_cmpint(chmod(dir, 0755), ==, 0);
    g_assert_cmpint(chmod(file, 0600), ==, 0);
    g_assert_cmpint(seteuid(65534), ==, 0);
    g_assert_cmpint(policy_check(file, "/nonexistent", collect, collect, found), ==, 0);
    g_assert_cmpint(seteuid(0), ==, 0);
    g_assert_cmpstr(found->str, ==, "");
    g_assert_cmpint(chown(file, 65533, 0), ==, 0); /* the executor has no power over files */
    g_assert_cmpint(seteuid(65534), ==, 0);
    g_assert_cmpint(policy_check(file, "/nonexistent", collect, collect, found), ==, 0);
    g_assert_cmpint(seteuid(0), ==, 0);
    g_assert_true(g_str_has_prefix(found->str, "0: is not readable (Permission denied); run: "));
}

/* Who misspells a key is told that, not that its value is wrong. */
static void test_unknown_key(void) {
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"[policy]\nallow_script = no\n", "there is no key allow_script in [policy]"},
        {"[polcy]\nallow_scripts = no\n",
         "policy.conf:2: there is no key allow_scripts in [polcy]"},
        {"[policy]\nallow_scripts = maybe\n",
         "the value of allow_scripts in [policy] is not valid: it must be yes or no"},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_(policy_freep) Policy *p = NULL;
        _cleanup_free_ char *error = NULL;

        g_assert_cmpint(load(cases[i].text, &p, &error), ==, -EINVAL);
        g_assert_true(g_str_has_suffix(error, cases[i].error));
    }
}

/* Whether a line is too long does not depend on what comes behind it. */
static void test_last_line(void) {
    int last = 0;

    for (int size = (int)INI_LINE_MAX - 50; size < (int)INI_LINE_MAX + 50; size++) {
        g_autofree char *line = g_strdup_printf("[policy]\ndeny_commands = %0*d", size, 0);
        g_autofree char *ended = g_strconcat(line, "\n", NULL);
        _cleanup_(policy_freep) Policy *a = NULL, *b = NULL;
        g_autofree char *error = NULL, *other_error = NULL;
        int r = load(line, &a, &error);

        g_assert_cmpint(r, ==, load(ended, &b, &other_error));
        g_assert_true(r == 0 || r == -EINVAL);
        g_assert_true(last == 0 || r < 0);
        last = r;
    }
    g_assert_cmpint(last, ==, -EINVAL);
}

static void test_void(void) {
    static const char *const texts[] = {
        "[policy]\nallow_script = no\n",
        "[policy]\nallow_scripts = perhaps\n",
        "[polici]\nallow_scripts = no\n",
        "allow_scripts = no\n",
        "[limits]\ntimeout = 0\n",
        "[limits]\ntimeout = 1h\n",
        "[limits]\nmemory_max = 1X\n",
        "[limits]\nmemory_max = 1023\n",
        "[limits]\nmemory_max = 99999999T\n",
        "[limits]\nmemory_max = -1\n",
        "[limits]\nmemory_max = 1GB\n",
        "[limits]\ntasks_max = 1K\n",
        "[limits]\noutput_max = none\n",
        "[limits]\noutput_max = 131071\n",
        "[limits]\noutput_max = 1025M\n",
        "[limits]\ncpu_weight = 10001\n",
        "[limits]\nwritable_paths = tmp\n",
        "[limits]\nwritable_paths = /a/../b\n",
        "[limits]\nwritable_paths = /\xff\n",
        "[limits x]\nunknown = 1\n",
        "[policy]\nallow_scripts\n",
        "[policy]\ndeny_commands = run_script\n  rename\n",
        "[policy]\n  deny_commands = run_script\n  allow_users = dcm\n",
        "[limits run_[st]*]\ntimeout = 1\n",
        "[limits run_script\ntimeout = 1\n",
    };

    for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
        _cleanup_free_ char *error = NULL;
        Policy *p = NULL;

        g_assert_cmpint(load(texts[i], &p, &error), ==, -EINVAL);
        g_assert_null(p);
        g_assert_nonnull(strstr(error, "policy.conf:"));
    }
}

/* What a power failure may leave. */
static void test_zeros(void) {
    static const char text[] = "[policy]\n\0deny_commands = *\n";
    _cleanup_temporary_ char *dir = temporary_new();
    g_autofree char *file = g_build_filename(dir, "policy.conf", NULL);
    _cleanup_free_ char *error = NULL;
    Policy *p = NULL;

    temporary_write(dir, "policy.conf", text, sizeof(text) - 1);
    g_assert_cmpint(policy_load(file, "/nonexistent", &p, &error), ==, -EINVAL);
    g_assert_nonnull(strstr(error, "policy.conf: has NUL bytes"));
}

static void test_unreadable(void) {
    _cleanup_free_ char *error = NULL;
    Policy *p = NULL;

    g_assert_cmpint(policy_load("/nonexistent", "/dev/null", &p, &error), ==, -EINVAL);
    g_assert_cmpstr(error, ==, "/dev/null: cannot be read: Not a directory");
}

/* Somebody wanted a policy. */
static void test_link_to_nothing(void) {
    _cleanup_(temporary_remove) char *dir = temporary_new();
    g_autofree char *file = g_build_filename(dir, "policy.conf", NULL);
    _cleanup_free_ char *error = NULL;
    Policy *p = NULL;

    g_assert_cmpint(symlink("/nonexistent", file), ==, 0);
    g_assert_cmpint(policy_load(file, "/nonexistent", &p, &error), ==, -EINVAL);
    g_assert_nonnull(strstr(error, "policy.conf: is a link to a file that does not exist"));
}

static void test_limits(void) {
    static const char text[] =
        "[limits run_*]\n"
        "timeout = 60\nwritable_paths =\n"
        "[limits]\n"
        "timeout = 3600\nmemory_max = 2G\ntasks_max = 10\ncpu_weight = 50\n"
        "io_weight = 20\noutput_max = 128K\nnetwork = no\nwritable_paths = /srv, -/tmp\n"
        "[limits run_script]\n"
        "memory_max = none\noutput_max = 1G\n";
    _cleanup_(policy_freep) Policy *p = NULL;
    JobLimits l;
    char *error = NULL;

    g_assert_cmpint(load(text, &p, &error), ==, 0);
    policy_get_limits(p, "rename", &l);
    g_assert_cmpuint(l.timeout_usec, ==, 3600 * USEC_PER_SEC);
    g_assert_cmpuint(l.memory_max, ==, (uint64_t)2 << 30);
    g_assert_cmpuint(l.tasks_max, ==, 10);
    g_assert_cmpuint(l.cpu_weight, ==, 50);
    g_assert_cmpuint(l.io_weight, ==, 20);
    g_assert_cmpuint(l.output_max, ==, JOB_OUTPUT_MIN);
    g_assert_false(l.network);
    g_assert_cmpstr(l.writable_paths[0], ==, "/srv");
    g_assert_cmpstr(l.writable_paths[1], ==, "-/tmp");
    g_assert_null(l.writable_paths[2]);
    policy_get_limits(p, "run_script", &l);
    g_assert_cmpuint(l.timeout_usec, ==, 60 * USEC_PER_SEC);
    g_assert_cmpuint(l.memory_max, ==, UINT64_MAX);
    g_assert_cmpuint(l.output_max, ==, JOB_OUTPUT_MAX);
    g_assert_cmpuint(l.tasks_max, ==, 10);
    g_assert_null(l.writable_paths);
}

/* Programs are installed only if the owner says so. */
static void test_missing_tools(void) {
    static const struct {
        const char *text;
        bool allowed;
    } cases[] = {{"", false},
                 {"[policy]\ninstall_missing_tools = yes\n", true},
                 {"[policy]\ninstall_missing_tools = no\n", false}};

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_(policy_freep) Policy *p = NULL;
        char *error = NULL;

        g_assert_cmpint(load(cases[i].text, &p, &error), ==, 0);
        g_assert_cmpint(policy_installs_tools(p), ==, cases[i].allowed);
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/policy/rules", test_rules);
    g_test_add_func("/policy/packages", test_packages);
    g_test_add_func("/policy/missing-tools", test_missing_tools);
    g_test_add_func("/policy/unknown-key", test_unknown_key);
    g_test_add_func("/policy/places", test_places);
    g_test_add_func("/policy/check", test_check);
    g_test_add_func("/policy/last-line", test_last_line);
    g_test_add_func("/policy/void", test_void);
    g_test_add_func("/policy/zeros", test_zeros);
    g_test_add_func("/policy/unreadable", test_unreadable);
    g_test_add_func("/policy/link-to-nothing", test_link_to_nothing);
    g_test_add_func("/policy/limits", test_limits);
    return g_test_run();
}
