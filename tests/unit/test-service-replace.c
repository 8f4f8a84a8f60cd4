/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that no directory that was in use is lost when a service is replaced: the process is
 * killed before each of its changes of the disk, and the requests after it before each of theirs.
 * Whoever was in use before, and was not replaced by a request that was finished, is there
 * afterwards, under a name that is documented; the service is complete at each moment. */
#include <dirent.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/macro.h"
#include "dcm-service/replace.h"

#define ID "a1"
#define STEPS_MAX 200 /* of one request; it has some twenty */
#define EXIT_KILLED 77

/* --- the kills ------------------------------------------------------------------------------- */

static int steps_left = -1; /* -1: never */

static void step(void) {
    if (steps_left == 0)
        _exit(EXIT_KILLED);
    if (steps_left > 0)
        steps_left--;
}

/* Each of these is killed before it is done: what comes after the last one changes nothing. */
int __real_renameat2(int old_fd, const char *old, int new_fd, const char *new, unsigned flags);
int __wrap_renameat2(int old_fd, const char *old, int new_fd, const char *new, unsigned flags);
int __wrap_renameat2(int old_fd, const char *old, int new_fd, const char *new, unsigned flags) {
    step();
    return __real_renameat2(old_fd, old, new_fd, new, flags);
}

int __real_renameat(int old_fd, const char *old, int new_fd, const char *new);
int __wrap_renameat(int old_fd, const char *old, int new_fd, const char *new);
int __wrap_renameat(int old_fd, const char *old, int new_fd, const char *new) {
    step();
    return __real_renameat(old_fd, old, new_fd, new);
}

int __real_mkdirat(int fd, const char *path, mode_t mode);
int __wrap_mkdirat(int fd, const char *path, mode_t mode);
int __wrap_mkdirat(int fd, const char *path, mode_t mode) {
    step();
    return __real_mkdirat(fd, path, mode);
}

int __real_unlinkat(int fd, const char *path, int flags);
int __wrap_unlinkat(int fd, const char *path, int flags);
int __wrap_unlinkat(int fd, const char *path, int flags) {
    step();
    return __real_unlinkat(fd, path, flags);
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd) {
    step();
    return 0; /* a kill does not need it */
}

/* rm(1) */
int __real_posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                        const posix_spawnattr_t *attributes, char *const argv[],
                        char *const envp[]);
int __wrap_posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                        const posix_spawnattr_t *attributes, char *const argv[],
                        char *const envp[]);
int __wrap_posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                        const posix_spawnattr_t *attributes, char *const argv[],
                        char *const envp[]) {
    step();
    return __real_posix_spawnp(pid, file, actions, attributes, argv, envp);
}

/* --- services -------------------------------------------------------------------------------- */

typedef struct Fixture {
    char *path;
    Services services;
} Fixture;

static void make(const Fixture *f, const char *name, const char *content) {
    g_autofree char *path = g_build_filename(f->path, name, NULL);
    g_autofree char *file = g_build_filename(path, "content", NULL);

    g_assert_cmpint(g_mkdir_with_parents(path, 0755), ==, 0);
    g_assert_true(g_file_set_contents(file, content, -1, NULL));
}

/* NULL: there is no such directory. */
static char *content(const Fixture *f, const char *name) {
    g_autofree char *path = g_build_filename(f->path, name, "content", NULL);
    char *text = NULL;

    return g_file_get_contents(path, &text, NULL, NULL) ? text : NULL;
}

static void assert_content(const Fixture *f, const char *name, const char *expected) {
    g_autofree char *text = content(f, name);

    g_assert_cmpstr(text, ==, expected);
}

static void set_up(Fixture *f) {
    f->path = g_dir_make_tmp("replace-XXXXXX", NULL);
    g_assert_nonnull(f->path);
    f->services =
        (Services){.path = f->path, .fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    make(f, ".former-" ID, "before");
    make(f, ID, "old");
}

static void tear_down(Fixture *f) {
    const char *const argv[] = {"rm", "-rf", f->path, NULL};

    (void)close(f->services.fd);
    g_assert_true(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL,
                               NULL, NULL, NULL));
    g_clear_pointer(&f->path, g_free);
}

/* What install_service does with it. */
static int install(const Fixture *f, const char *text, bool finish) {
    g_autofree char *name = g_strdup(".install-" ID "/new");
    Replacement r = REPLACEMENT_INIT;
    int k;

    k = replacement_begin(&f->services, ID, &r);
    if (k >= 0)
        k = replacement_make_new(&r, getuid(), getgid());
    if (k >= 0) {
        make(f, name, text);
        k = replacement_commit(&r);
    }
    if (k >= 0 && finish)
        replacement_finish(&r);
    replacement_done(&r);
    return k;
}

/* The same in a process that is killed before the step of that number. False: it has not so many.
 */
static bool install_killed(const Fixture *f, const char *text, int steps) {
    const pid_t pid = fork();
    int status;

    g_assert_cmpint(pid, >=, 0);
    if (pid == 0) {
        steps_left = steps;
        _exit(install(f, text, true) < 0 ? 1 : 0);
    }
    g_assert_true(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    g_assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == EXIT_KILLED);
    return WEXITSTATUS(status) == EXIT_KILLED;
}

/* --- the tests ------------------------------------------------------------------------------- */

/* Where it may be, after any kill. */
static bool is_somewhere(const Fixture *f, const char *text) {
    static const char *const names[] = {ID, ".former-" ID, ".unfinished-" ID,
                                        ".install-" ID "/tree"};

    for (size_t i = 0; i < ELEMENTSOF(names); i++) {
        g_autofree char *found = content(f, names[i]);

        if (found && streq(found, text))
            return true;
    }
    return false;
}

static bool has_mark(const Fixture *f) {
    g_autofree char *path = g_build_filename(f->path, ".install-" ID, NULL);
    g_autoptr(GDir) d = g_dir_open(path, 0, NULL);
    const char *name;

    while (d && (name = g_dir_read_name(d)))
        if (g_str_has_prefix(name, "new-") || g_str_has_prefix(name, "again-"))
            return true;
    return false;
}

/* `text` is in use, and nothing else of the request is left. */
static void assert_done(const Fixture *f, const char *text) {
    g_autofree char *place = g_build_filename(f->path, ".install-" ID, NULL);

    assert_content(f, ID, text);
    g_assert_false(g_file_test(place, G_FILE_TEST_EXISTS));
}

static void test_order(void) {
    Fixture f;

    set_up(&f);
    g_assert_cmpint(install(&f, "1", true), ==, 0);
    assert_done(&f, "1");
    assert_content(&f, ".former-" ID, "old");
    g_assert_cmpint(install(&f, "2", true), ==, 0);
    assert_done(&f, "2");
    assert_content(&f, ".former-" ID, "1");
    tear_down(&f);
}

/* The image is in place, but what was to be done with it was not. */
static void test_unfinished(void) {
    Fixture f;

    set_up(&f);
    g_assert_cmpint(install(&f, "1", false), ==, 0);
    assert_content(&f, ID, "1");
    assert_content(&f, ".former-" ID, "old");
    g_assert_cmpint(install(&f, "2", true), ==, 0);
    assert_done(&f, "2");
    assert_content(&f, ".former-" ID, "old");
    assert_content(&f, ".unfinished-" ID, "1");
    g_assert_cmpint(install(&f, "3", true), ==, 0);
    assert_done(&f, "3");
    assert_content(&f, ".former-" ID, "2");
    assert_content(&f, ".unfinished-" ID, NULL);
    tear_down(&f);
}

/* After the kill of the first request, or the end of the last. */
static void check_all_is_there(const Fixture *f, bool was_finished) {
    g_autofree char *live = content(f, ID);

    g_assert_nonnull(live);
    g_assert_true(was_finished || is_somewhere(f, "old"));
    g_assert_true(!streq(live, "old") || is_somewhere(f, "before"));
}

static void test_one_kill(void) {
    bool was_killed = true;
    int n;

    for (n = 0; was_killed; n++) {
        bool was_finished;
        Fixture f;

        g_assert_cmpint(n, <, STEPS_MAX);
        set_up(&f);
        was_killed = install_killed(&f, "1", n);
        check_all_is_there(&f, false);
        was_finished = !was_killed || (is_somewhere(&f, "1") && !has_mark(&f));
        g_assert_cmpint(install(&f, "2", true), ==, 0);
        assert_done(&f, "2");
        if (!was_finished)
            assert_content(&f, ".former-" ID, "old");
        tear_down(&f);
    }
    g_test_message("%d steps", n - 1);
    g_assert_cmpint(n, >, 10);
}

static void check_two_kills(int first, int second) {
    g_autofree char *live = NULL;
    bool was_finished;
    Fixture f;

    set_up(&f);
    (void)install_killed(&f, "1", first);
    live = content(&f, ID);
    was_finished = streq(live, "1") && !has_mark(&f);
    (void)install_killed(&f, "2", second);
    check_all_is_there(&f, was_finished);
    g_clear_pointer(&live, g_free);
    live = content(&f, ID);
    was_finished = was_finished || (streq(live, "2") && !has_mark(&f));
    g_assert_cmpint(install(&f, "3", true), ==, 0);
    assert_done(&f, "3");
    if (!was_finished)
        assert_content(&f, ".former-" ID, "old");
    tear_down(&f);
}

/* A sample that has each step of either. */
static void test_two_kills(void) {
    for (int first = 0; first < 30; first++)
        for (int n = 0; n < 4; n++)
            check_two_kills(first, (first * 7 + n * 11) % 40);
}

/* Also where nothing was in use. */
static void test_first_install(void) {
    bool was_killed = true;

    for (int n = 0; was_killed; n++) {
        const char *const argv[] = {"rm", "-rf", ID, ".former-" ID, NULL};
        Fixture f;

        set_up(&f);
        g_assert_true(g_spawn_sync(f.path, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL,
                                   NULL, NULL, NULL, NULL));
        was_killed = install_killed(&f, "1", n);
        g_assert_cmpint(install(&f, "2", true), ==, 0);
        assert_done(&f, "2");
        tear_down(&f);
    }
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/service-replace/order", test_order);
    g_test_add_func("/service-replace/unfinished", test_unfinished);
    g_test_add_func("/service-replace/one-kill", test_one_kill);
    g_test_add_func("/service-replace/two-kills", test_two_kills);
    g_test_add_func("/service-replace/first-install", test_first_install);
    return g_test_run();
}
