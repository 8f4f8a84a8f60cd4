/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that a lock of another program is waited for, and not for ever; that the one who waits is
 * told who has it, and so is the administrator; that runs of dcm-volume take turns; and that disks
 * are locked once, in the order of their numbers. */
#include <dirent.h>
#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "dcm-volume/lock.h"
#include "dcm-volume/run.h"
#include "temporary.h"

/* Another process that has the lock, and releases it when it is told so. */
typedef struct Holder {
    pid_t pid;
    int ask_fd;
} Holder;

static void hold(const char *path, Holder *ret) {
    int ready[2], ask[2];
    char c;

    g_assert_cmpint(pipe2(ready, O_CLOEXEC), ==, 0);
    g_assert_cmpint(pipe2(ask, O_CLOEXEC), ==, 0);
    ret->pid = fork();
    g_assert_cmpint(ret->pid, >=, 0);
    if (ret->pid == 0) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        (void)close(ask[1]);
        if (flock(fd, LOCK_EX) < 0 || write(ready[1], "x", 1) != 1)
            _exit(1);
        _exit(read(ask[0], &c, 1) < 0);
    }
    (void)close(ready[1]);
    (void)close(ask[0]);
    g_assert_cmpint(read(ready[0], &c, 1), ==, 1);
    (void)close(ready[0]);
    ret->ask_fd = ask[1];
}

static void release(Holder *h) {
    int status;

    h->ask_fd = safe_close(h->ask_fd);
    g_assert_cmpint(waitpid(h->pid, &status, 0), ==, h->pid);
    g_assert_cmpint(status, ==, 0);
}

static Holder *to_release; /* as soon as somebody waits */
static char *told;

static void on_wait(const char *text, void *userdata) {
    g_free(told);
    told = g_strdup(text);
    if (to_release)
        release(to_release);
    to_release = NULL;
}

static int open_file(const char *dir, const char *name, char **ret_path) {
    int fd;

    *ret_path = g_build_filename(dir, name, NULL);
    fd = open(*ret_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    g_assert_cmpint(fd, >=, 0);
    return fd;
}

/* "NAME (PID)" */
static char *name_of(const Holder *h) {
    g_autofree char *path = g_strdup_printf("/proc/%d/comm", (int)h->pid), *name = NULL;

    g_assert_true(g_file_get_contents(path, &name, NULL, NULL));
    return g_strdup_printf("%s (%d)", g_strstrip(name), (int)h->pid);
}

static void test_free(void) {
    const LockPatience patience = {.usec = 0, .on_wait = on_wait};
    _cleanup_temporary_ char *dir = temporary_new();
    g_autofree char *path = NULL;
    _cleanup_close_ int fd = open_file(dir, "disk", &path);
    char *problem = NULL;

    g_clear_pointer(&told, g_free);
    g_assert_cmpint(lock_wait(fd, "vdx", &patience, &problem), ==, 0);
    g_assert_null(told);
}

static void test_bounded(void) {
    const LockPatience patience = {.usec = 0, .on_wait = on_wait};
    _cleanup_temporary_ char *dir = temporary_new();
    g_autofree char *path = NULL, *name = NULL, *wanted = NULL;
    _cleanup_close_ int fd = open_file(dir, "disk", &path);
    _cleanup_free_ char *problem = NULL, *holder = NULL;
    Holder other;

    hold(path, &other);
    name = name_of(&other);
    wanted = g_strdup_printf(
        "vdx is locked by %s, and was not released within 0 s: wait until that has ended, "
        "then repeat this",
        name);
    g_assert_cmpint(lock_wait(fd, "vdx", &patience, &problem), ==, -EBUSY);
    g_assert_cmpstr(problem, ==, wanted);
    g_assert_cmpint(lock_find_holder(fd, &holder), ==, 0);
    g_assert_cmpstr(holder, ==, name);
    release(&other);
    free(TAKE_PTR(holder));
    g_assert_cmpint(lock_find_holder(fd, &holder), ==, 0);
    g_assert_cmpstr(holder, ==, "another program");
}

static void test_waits(void) {
    const LockPatience patience = {.usec = 600 * USEC_PER_SEC, .on_wait = on_wait};
    _cleanup_temporary_ char *dir = temporary_new();
    g_autofree char *path = NULL, *name = NULL, *wanted = NULL;
    _cleanup_close_ int fd = open_file(dir, "disk", &path);
    char *problem = NULL;
    Holder other;

    hold(path, &other);
    name = name_of(&other);
    wanted = g_strdup_printf("waiting for vdx, which %s has locked", name);
    to_release = &other;
    g_assert_cmpint(lock_wait(fd, "vdx", &patience, &problem), ==, 0);
    g_assert_null(problem);
    g_assert_cmpstr(told, ==, wanted);
}

/* The child is killed: that releases its lock, too. */
static void test_runs(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    g_autofree char *path = g_build_filename(dir, "run.lock", NULL),
                    *link = g_build_filename(dir, "link", NULL);
    int fds[2], status, lock_fd = -1;
    pid_t pid;
    char c;

    g_assert_cmpint(run_lock(path, UINT64_MAX, &lock_fd, NULL), ==, 0);
    g_assert_cmpint(temporary_mode(path), ==, 0600);
    g_assert_cmpint(pipe2(fds, O_CLOEXEC), ==, 0);
    pid = fork();
    g_assert_cmpint(pid, >=, 0);
    if (pid == 0) {
        int own_fd;

        (void)close(lock_fd);
        (void)!write(fds[1], "1", 1);
        _exit(run_lock(path, UINT64_MAX, &own_fd, NULL) < 0 || write(fds[1], "2", 1) != 1);
    }
    g_assert_cmpint(read(fds[0], &c, 1), ==, 1);
    g_assert_cmpint(c, ==, '1');
    g_assert_cmpint(waitpid(pid, &status, WNOHANG), ==, 0);
    lock_fd = safe_close(lock_fd);
    g_assert_cmpint(read(fds[0], &c, 1), ==, 1);
    g_assert_cmpint(c, ==, '2');
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert_cmpint(status, ==, 0);
    (void)close(fds[0]);
    (void)close(fds[1]);
    g_assert_cmpint(symlink(path, link), ==, 0);
    g_assert_cmpint(run_lock(link, UINT64_MAX, &lock_fd, NULL), ==, -ELOOP);
}

/* Whose job has a time limit says why it does nothing before that is over. */
static void test_runs_with_limit(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    g_autofree char *path = g_build_filename(dir, "run.lock", NULL);
    _cleanup_close_ int first = -1, second = -1;
    _cleanup_free_ char *problem = NULL;

    g_assert_cmpint(run_lock(path, 0, &first, &problem), ==, 0);
    g_assert_null(problem);
    g_assert_cmpint(run_lock(path, 1000, &second, &problem), ==, -EBUSY);
    g_assert_cmpint(second, ==, -1);
    g_assert_nonnull(strstr(problem, "works on another volume, and has not ended within 0 s"));
    g_clear_pointer(&problem, free);
    first = safe_close(first);
    g_assert_cmpint(run_lock(path, 1000, &second, &problem), ==, 0);
}

/* Whatever is a block device here, and can be read. */
static char **find_disks(void) {
    g_autoptr(GPtrArray) paths = g_ptr_array_new();
    g_autoptr(GDir) dir = g_dir_open("/sys/block", 0, NULL);
    const char *name;

    while (dir && paths->len < 3 && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename("/dev", name, NULL);
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
            g_ptr_array_add(paths, g_steal_pointer(&path));
    }
    g_ptr_array_add(paths, NULL);
    return (char **)g_ptr_array_free(g_steal_pointer(&paths), FALSE);
}

static void test_devices(void) {
    const LockPatience patience = {.usec = 0, .on_wait = on_wait};
    g_auto(GStrv) disks = find_disks();
    char *twice[] = {disks[0], (char *)"/dev/null", (char *)"/nonexistent", disks[0], NULL};
    DeviceLocks l = {}, other = {};
    _cleanup_free_ char *problem = NULL;
    int first;

    if (!*disks || !g_file_test("/dev/block", G_FILE_TEST_IS_DIR)) {
        g_test_skip("no block device can be opened here, or there is no udev; "
                    "tests/vm/test-volumes locks some");
        return;
    }
    g_assert_cmpint(device_locks_take(&l, twice, &patience, &problem), ==, 0);
    g_assert_cmpuint(l.n, ==, 1);
    first = l.fds[0];
    g_assert_cmpint(device_locks_take(&other, twice, &patience, &problem), ==, -EBUSY);
    g_assert_nonnull(strstr(problem, "is locked by"));
    g_assert_cmpuint(other.n, ==, 0);
    g_assert_cmpint(device_locks_take(&l, twice, &patience, &problem), ==, 0);
    g_assert_cmpint(l.fds[0], ==, first); /* without a gap */
    g_assert_cmpint(device_locks_take(&l, disks, &patience, &problem), ==, 0);
    g_assert_cmpuint(l.n, ==, g_strv_length(disks));
    for (size_t i = 1; i < l.n; i++)
        g_assert_cmpuint(l.devices[i - 1], <, l.devices[i]);
    device_locks_release(&l);
    g_assert_cmpint(device_locks_take(&other, twice, &patience, &problem), ==, 0);
    device_locks_release(&other);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/volume-lock/free", test_free);
    g_test_add_func("/volume-lock/bounded", test_bounded);
    g_test_add_func("/volume-lock/waits", test_waits);
    g_test_add_func("/volume-lock/runs", test_runs);
    g_test_add_func("/volume-lock/runs-with-limit", test_runs_with_limit);
    g_test_add_func("/volume-lock/devices", test_devices);
    return g_test_run();
}
