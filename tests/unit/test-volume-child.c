/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that a program's status, signal, lines and end in time are seen, that it has the key as an
 * immutable descriptor and nothing else of ours, and that what it leaves behind is not waited for.
 */
#include <glib.h>
#include <signal.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/memfd-util.h"
#include "dcm-volume/child.h"

static void collect(const char *line, void *userdata) {
    g_ptr_array_add(userdata, g_strdup(line));
}

/* Runs a shell command; the lines are joined by |. */
static int shell(const char *command, int key_fd, char **ret_lines) {
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
    const char *const argv[] = {"sh", "-c", command, NULL};
    char *const environment[] = {(char[]){"DCM_TEST=yes"}, NULL};
    const Child c = {.argv = argv,
                     .environment = environment,
                     .key_fd = key_fd,
                     .timeout_usec = 600 * USEC_PER_SEC,
                     .on_line = collect,
                     .userdata = lines};
    _cleanup_free_ char *tail = NULL;
    int r;

    r = child_run(&c, &tail);
    g_assert_nonnull(tail);
    g_ptr_array_add(lines, NULL);
    if (ret_lines)
        *ret_lines = g_strjoinv("|", (char **)lines->pdata);
    return r;
}

static void assert_shell(const char *command, int status, const char *lines) {
    g_autofree char *found = NULL;

    g_assert_cmpint(shell(command, -1, &found), ==, status);
    g_assert_cmpstr(found, ==, lines);
}

static void test_lines(void) {
    assert_shell("exit 7", 7, "");
    assert_shell("kill -9 $$", 128 + SIGKILL, "");
    assert_shell("echo a; echo b >&2; printf c; echo $DCM_TEST", 0, "a|b|cyes");
    assert_shell("printf '1/3\\b\\b\\b2/3\\b\\b\\b3/3\\ndone'", 0, "1/3|2/3|3/3|done");
    assert_shell("read x || echo end of input", 0, "end of input");
}

static void test_long(void) {
    g_autofree char *found = NULL;

    g_assert_cmpint(shell("head -c 100000 /dev/zero | tr '\\0' x; exit 3", -1, &found), ==, 3);
    g_assert_cmpuint(strlen(found), ==, 100000 + 100000 / 1024);
}

static void test_absent(void) {
    const char *const argv[] = {"/nonexistent/program", NULL};

    g_assert_cmpint(child_call(argv, NULL), ==, -ENOENT);
}

static void test_timeout(void) {
    const char *const argv[] = {"sh", "-c", "echo begun; sleep 1000 & sleep 1000", NULL};
    const Child c = {.argv = argv, .key_fd = -1, .timeout_usec = USEC_PER_SEC / 2};
    _cleanup_free_ char *tail = NULL;

    g_assert_cmpint(child_run(&c, &tail), ==, -ETIMEDOUT);
}

/* The shell ends; its child has the pipe still. */
static void test_left_behind(void) {
    g_autofree char *found = NULL;

    g_assert_cmpint(shell("sleep 1000 & echo $!", -1, &found), ==, 0);
    g_assert_cmpint(kill(atoi(found), SIGKILL), ==, 0);
}

static void test_key(void) {
    _cleanup_close_ int fd = -1;
    g_autofree char *found = NULL;

    g_assert_cmpint(memfd_new_sealed("key", "secret", 6, &fd), ==, 0);
    g_assert_cmpint(shell("cat " CHILD_KEY_PATH "; echo; cat " CHILD_KEY_PATH "; echo; "
                          "echo x 2>/dev/null >" CHILD_KEY_PATH " || echo sealed; "
                          "ls -l /proc/self/fd | grep -c memfd",
                          fd, &found),
                    ==, 0);
    g_assert_cmpstr(found, ==, "secret|secret|sealed|1");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/volume-child/lines", test_lines);
    g_test_add_func("/volume-child/long", test_long);
    g_test_add_func("/volume-child/absent", test_absent);
    g_test_add_func("/volume-child/timeout", test_timeout);
    g_test_add_func("/volume-child/left-behind", test_left_behind);
    g_test_add_func("/volume-child/key", test_key);
    return g_test_run();
}
