/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that whoever uses a mounted file system is found: by an open file, a working directory, a
 * root, a program, a mapped file; that others are not named; that the list has an end; and which
 * services systemd would stop. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "basic/fd-util.h"
#include "basic/strv.h"
#include "dcm-volume/busy.h"
#include "volume-sandbox.h"

#define POINT "/run/volume"

static const char *no_sandbox; /* why there is none; NULL: there is one */

static bool skip(void) {
    if (no_sandbox)
        g_test_skip(no_sandbox);
    return no_sandbox != NULL;
}

/* Runs `use` in a child that then waits to be killed; it is ready when this returns. */
static pid_t start(void (*use)(void)) {
    int fds[2];
    pid_t pid;
    char c;

    g_assert_cmpint(pipe2(fds, O_CLOEXEC), ==, 0);
    pid = fork();
    g_assert_cmpint(pid, >=, 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        use();
        if (write(fds[1], "x", 1) == 1)
            for (;;)
                (void)pause();
        _exit(1);
    }
    (void)close(fds[1]);
    g_assert_cmpint(read(fds[0], &c, 1), ==, 1);
    (void)close(fds[0]);
    return pid;
}

static void end(pid_t pid) {
    g_assert_cmpint(kill(pid, SIGKILL), ==, 0);
    g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
}

static void use_descriptor(void) {
    g_assert_cmpint(open(POINT "/file", O_RDONLY), >=, 0); /* as long as it lives */
}

static void use_directory(void) {
    g_assert_cmpint(chdir(POINT), ==, 0);
}

static void use_root(void) {
    g_assert_cmpint(chroot(POINT), ==, 0);
}

static void use_mapping(void) {
    int fd = open(POINT "/file", O_RDONLY);

    g_assert_true(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0) != MAP_FAILED);
    (void)close(fd);
}

static void use_nothing(void) {
}

static void assert_users(const char *wanted) {
    _cleanup_free_ char *found = NULL;

    g_assert_cmpint(busy_find_processes(POINT, NULL, &found), ==, 0);
    g_assert_cmpstr(found, ==, wanted);
}

static void test_kinds_of_use(void) {
    void (*const uses[])(void) = {use_descriptor, use_directory, use_root, use_mapping};

    if (skip())
        return;
    assert_users(NULL);
    for (size_t i = 0; i < ELEMENTSOF(uses); i++) {
        const pid_t pid = start(uses[i]), other = start(use_nothing);
        g_autofree char *wanted = g_strdup_printf("test-volume-bus (%d)", (int)pid);

        assert_users(wanted);
        end(pid);
        assert_users(NULL);
        end(other);
    }
}

/* Their names are what people may choose: what a terminal would obey is not printed. */
static void test_program(void) {
    const char *const argv[] = {POINT "/\033[2Jsleep", "100000", NULL};
    g_autofree char *wanted = NULL;
    pid_t pid;

    if (skip())
        return;
    g_assert_cmpint(system("cp /bin/sleep '" POINT "'/\"$(printf '\\033[2Jsleep')\""), ==, 0);
    g_assert_true(g_spawn_async(NULL, (char **)argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL,
                                &pid, NULL));
    for (;;) { /* until it is the program */
        g_autofree char *link = g_strdup_printf("/proc/%d/exe", (int)pid);
        g_autofree char *exe = g_file_read_link(link, NULL);

        if (exe && g_str_has_prefix(exe, POINT))
            break;
    }
    wanted = g_strdup_printf("\033[2Jsleep (%d)", (int)pid);
    {
        _cleanup_free_ char *found = NULL;

        g_assert_cmpint(busy_find_processes(POINT, NULL, &found), ==, 0);
        g_assert_nonnull(found);
        g_assert_nonnull(strstr(found, "sleep ("));
    }
    end(pid);
}

static void test_many(void) {
    _cleanup_free_ char *found = NULL;
    pid_t pids[13];

    if (skip())
        return;
    for (size_t i = 0; i < ELEMENTSOF(pids); i++)
        pids[i] = start(use_directory);
    g_assert_cmpint(busy_find_processes(POINT, NULL, &found), ==, 0);
    g_assert_true(g_str_has_suffix(found, " and 3 more"));
    for (size_t i = 0; i < ELEMENTSOF(pids); i++)
        end(pids[i]);
    assert_users(NULL);
}

static void test_absent(void) {
    _cleanup_free_ char *found = NULL;

    g_assert_cmpint(busy_find_processes("/nonexistent", NULL, &found), ==, -ENOENT);
}

/* Of what needs the unit only what is active, and could use files. */
static void test_services(void) {
    _cleanup_(strv_freep) char **found = NULL, **none = NULL, **failed = NULL;

    if (skip())
        return;
    sandbox_tool("systemctl",
                 "case $1 in\n"
                 "show) echo 'local-fs.target web.service'; echo 'off.service up.mount';;\n"
                 "is-active) [ $3 != off.service ];;\n"
                 "esac");
    g_assert_cmpint(busy_find_services("mnt-data.mount", &found), ==, 0);
    g_assert_cmpuint(g_strv_length(found), ==, 2);
    g_assert_cmpstr(found[0], ==, "web.service");
    g_assert_cmpstr(found[1], ==, "up.mount");
    sandbox_tool("systemctl", "echo");
    g_assert_cmpint(busy_find_services("mnt-data.mount", &none), ==, 0);
    g_assert_null(none);
    sandbox_tool("systemctl", "exit 1");
    g_assert_cmpint(busy_find_services("mnt-data.mount", &failed), ==, -EIO);
}

/* What is stopped with the mount is no obstacle. */
static void test_process_of_a_service(void) {
    g_autofree char *cgroup = NULL, *unit = NULL, *wanted = NULL;
    char *services[] = {NULL, NULL};
    _cleanup_free_ char *found = NULL;
    pid_t pid;

    if (skip())
        return;
    g_assert_true(g_file_get_contents("/proc/self/cgroup", &cgroup, NULL, NULL));
    unit = g_path_get_basename(g_strstrip(cgroup));
    if (!*unit || streq(unit, "/")) {
        g_test_skip("this process is in the root of the control groups, so it has no unit");
        return;
    }
    services[0] = unit;
    pid = start(use_directory);
    g_assert_cmpint(busy_find_processes(POINT, services, &found), ==, 0);
    g_assert_null(found);
    services[0] = (char *)"other.service";
    wanted = g_strdup_printf("test-volume-bus (%d)", (int)pid);
    g_assert_cmpint(busy_find_processes(POINT, services, &found), ==, 0);
    g_assert_cmpstr(found, ==, wanted);
    end(pid);
}

int main(int argc, char **argv) {
    if (!sandbox_enter() || g_mkdir(POINT, 0755) < 0 || mount("tmpfs", POINT, "tmpfs", 0, NULL) < 0)
        no_sandbox = "no mount namespace can be made here";
    else
        (void)g_file_set_contents(POINT "/file", "text", -1, NULL);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/volume-busy/kinds-of-use", test_kinds_of_use);
    g_test_add_func("/volume-busy/program", test_program);
    g_test_add_func("/volume-busy/many", test_many);
    g_test_add_func("/volume-busy/absent", test_absent);
    g_test_add_func("/volume-busy/services", test_services);
    g_test_add_func("/volume-busy/process-of-a-service", test_process_of_a_service);
    return g_test_run();
}
