/* SPDX-License-Identifier: Apache-2.0 */
/* Proves what steps write to fstab, crypttab and the unit that unlocks, with which options, that
 * they find and remove exactly that again, and that somebody else's lines, drop-ins and directories
 * stay; that the sealed key is for root alone; that a file system in use is not unmounted; and that
 * a script that mounts nothing is noticed. */
#include "dcm-volume/step-system.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "basic/memfd-util.h"
#include "basic/strv.h"
#include "volume-sandbox.h"
#include "volume/lines.h"

#define FS_UUID "11111111-1111-4111-8111-111111111111"
#define LUKS_UUID "22222222-2222-4222-8222-222222222222"
#define DROP_IN "/etc/systemd/system/systemd-cryptsetup@esdata.service.d"
#define SEALED "/var/lib/dcm-volumes/esdata.cred"

static const char *no_sandbox; /* why there is none; NULL: there is one */
static const Step step = {.options = (char *)"defaults"};

static bool work_init(Work *w) {
    if (no_sandbox) {
        g_test_skip(no_sandbox);
        return false;
    }
    sandbox_work(w);
    w->plan->mapping = strdup("esdata");
    w->plan->luks_uuid = strdup(LUKS_UUID);
    g_assert_true(g_file_set_contents("/etc/fstab", "", -1, NULL));
    g_assert_true(g_file_set_contents("/etc/crypttab", "", -1, NULL));
    sandbox_forget();
    return true;
}

/* The second line: the first one is the mark. */
static void assert_line(const char *path, const char *wanted) {
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    lines = g_strsplit(text, "\n", -1);
    g_assert_cmpuint(g_strv_length(lines), ==, 3);
    g_assert_true(g_str_has_prefix(lines[0], "# dcm-volume "));
    g_assert_cmpstr(lines[1], ==, wanted);
}

static void test_fstab(void) {
    static const struct {
        bool noauto;
        const char *options, *line;
    } rows[] = {
        {false, NULL, "defaults,nofail,x-systemd.device-timeout=90s 0 2"},
        {false, "noatime,ro", "defaults,nofail,x-systemd.device-timeout=90s,noatime,ro 0 2"},
        {true, NULL, "defaults,nofail,x-systemd.device-timeout=90s,noauto 0 2"},
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        g_autofree char *line = g_strdup_printf("UUID=" FS_UUID " /run/data ext4 %s", rows[i].line);
        _cleanup_free_ char *options = NULL;
        _cleanup_(work_done) Work w = {};

        if (!work_init(&w))
            return;
        w.plan->request.options = rows[i].options ? strdup(rows[i].options) : NULL;
        g_assert_cmpint(lines_fstab_options(&w.plan->request, rows[i].noauto, &options), ==, 0);
        assert_done(&w, fstab_add(&w, &(Step){.options = options}));
        assert_line("/etc/fstab", line);
        g_assert_true(w.needs_reload);
        w.needs_reload = false;
        assert_done(&w, fstab_remove(&w, &step));
        assert_file("/etc/fstab", "");
        g_assert_true(w.needs_reload);
        w.needs_reload = false;
        assert_done(&w, fstab_remove(&w, &step)); /* it is not there */
        g_assert_false(w.needs_reload);
        g_assert_cmpuint(w.n_notes, ==, 0);
    }
}

static void test_foreign_line(void) {
    static const char text[] = "# mine\nUUID=x /run/data ext4 ro 0 0\n";
    _cleanup_(work_done) Work w = {};

    if (!work_init(&w))
        return;
    g_assert_true(g_file_set_contents("/etc/fstab", text, -1, NULL));
    assert_failed(&w, fstab_add(&w, &step), "/etc/fstab has a line for /run/data already");
    assert_done(&w, fstab_remove(&w, &step));
    assert_file("/etc/fstab", text);
    g_assert_cmpuint(w.n_notes, ==, 1);
    g_assert_nonnull(strstr(w.notes[0], "was not written by dcm-volume, or was edited: it stays"));
    g_assert_false(w.needs_reload);
}

static void test_table_that_cannot_be_written(void) {
    _cleanup_(work_done) Work w = {};

    if (!work_init(&w))
        return;
    g_assert_cmpint(mount("/etc/fstab", "/etc/fstab", NULL, MS_BIND, NULL), ==, 0);
    assert_failed(&w, fstab_add(&w, &step), "/etc/fstab cannot be changed: it is a mount point");
    g_assert_cmpint(umount("/etc/fstab"), ==, 0);
    g_assert_cmpint(g_unlink("/etc/fstab"), ==, 0);
    g_assert_cmpint(g_mkdir("/etc/fstab", 0755), ==, 0);
    assert_failed(&w, fstab_add(&w, &step), "/etc/fstab cannot be changed: Is a directory");
    g_assert_cmpint(g_rmdir("/etc/fstab"), ==, 0);
    assert_done(&w, fstab_add(&w, &step)); /* a machine without one */
}

static void test_crypttab(void) {
    for (unsigned unlock = 0; unlock < 2; unlock++) {
        _cleanup_(work_done) Work w = {};
        Step s = {};

        if (!work_init(&w))
            return;
        s.options = (char *)lines_crypttab_options(unlock);
        assert_done(&w, crypttab_add(&w, &s));
        assert_line("/etc/crypttab", unlock ? "esdata UUID=" LUKS_UUID " none luks,nofail"
                                            : "esdata UUID=" LUKS_UUID
                                              " none luks,noauto,nofail,headless=true");
        assert_done(&w, crypttab_remove(&w, &step));
        assert_file("/etc/crypttab", "");
        g_clear_pointer(&w.plan->mapping, free);
        assert_done(&w, crypttab_remove(&w, &step));
    }
}

/* A line that was replaced, or removed, is there again when that is undone. */
static void test_former_lines(void) {
    static const Step first = {.options = (char *)"defaults,noauto"},
                      second = {.options = (char *)"defaults"};
    _cleanup_(work_done) Work w = {}, again = {};
    g_autofree char *fstab = NULL, *crypttab = NULL, *changed = NULL;

    if (!work_init(&w) || !work_init(&again))
        return;
    assert_done(&w, fstab_add(&w, &first));
    assert_done(&w, crypttab_add(&w, &first));
    g_assert_true(g_file_get_contents("/etc/fstab", &fstab, NULL, NULL));
    g_assert_true(g_file_get_contents("/etc/crypttab", &crypttab, NULL, NULL));
    assert_done(&again, fstab_add(&again, &second));
    assert_done(&again, crypttab_add(&again, &second));
    g_assert_true(g_file_get_contents("/etc/fstab", &changed, NULL, NULL));
    g_assert_cmpstr(changed, !=, fstab);
    assert_done(&again, fstab_restore(&again, &second));
    assert_done(&again, crypttab_restore(&again, &second));
    assert_file("/etc/fstab", fstab);
    assert_file("/etc/crypttab", crypttab);
    assert_done(&again, fstab_remove(&again, &step));
    assert_done(&again, crypttab_remove(&again, &step));
    assert_file("/etc/fstab", "");
    assert_done(&again, fstab_restore(&again, &step));
    assert_done(&again, crypttab_restore(&again, &step));
    assert_file("/etc/fstab", fstab);
    assert_file("/etc/crypttab", crypttab);
    /* of the run that made them there was nothing before */
    assert_done(&w, fstab_restore(&w, &first));
    assert_done(&w, crypttab_restore(&w, &first));
    assert_file("/etc/fstab", "");
    assert_file("/etc/crypttab", "");
}

static mode_t mode_of(const char *path) {
    struct stat st;

    g_assert_cmpint(stat(path, &st), ==, 0);
    return st.st_mode & 07777;
}

static void test_key(void) {
    _cleanup_(work_done) Work w = {};

    if (!work_init(&w))
        return;
    sandbox_tool("cryptsetup", "");
    sandbox_tool("systemd-creds", "umask 0; (echo sealed; cat $3) >$4");
    g_assert_cmpint(memfd_new_sealed("key", "secret", 6, &w.key_fd), ==, 0);
    assert_done(&w, key_seal(&w, &step));
    assert_log("cryptsetup open --test-passphrase --batch-mode --key-file=/dev/fd/3 "
               "/dev/disk/by-uuid/" LUKS_UUID "\n"
               "systemd-creds encrypt --name=cryptsetup.passphrase /dev/fd/3 " SEALED ".new\n");
    assert_file(SEALED, "sealed\nsecret");
    g_assert_cmpint(mode_of(SEALED), ==, 0600);
    assert_file(DROP_IN "/dcm-volume.conf",
                "# dcm-volume wrote this file; unmount_volume removes it.\n"
                "[Unit]\nRequiresMountsFor=/var/lib/systemd /var/lib/dcm-volumes\n"
                "[Service]\nLoadCredentialEncrypted=cryptsetup.passphrase:" SEALED "\n");
    g_assert_cmpuint(w.n_notes, ==, 1);
    assert_done(&w, key_remove(&w, &step));
    g_assert_false(g_file_test(SEALED, G_FILE_TEST_EXISTS) ||
                   g_file_test(DROP_IN, G_FILE_TEST_EXISTS));
    assert_done(&w, key_remove(&w, &step));
    /* somebody else's drop-in stays */
    assert_done(&w, key_seal(&w, &step));
    g_assert_true(g_file_set_contents(DROP_IN "/mine.conf", "[Unit]\n", -1, NULL));
    assert_done(&w, key_remove(&w, &step));
    assert_file(DROP_IN "/mine.conf", "[Unit]\n");
    g_assert_cmpint(g_unlink(DROP_IN "/mine.conf"), ==, 0);
    /* a step says which; what a cut of sealing left goes, too */
    assert_done(&w, key_seal(&w, &step));
    g_assert_true(g_file_set_contents(SEALED ".new", "x", -1, NULL));
    g_assert_cmpint(free_and_strdup(&w.plan->mapping, "other"), ==, 0);
    assert_done(&w, key_remove(&w, &(Step){.result = (char *)"esdata"}));
    g_assert_false(g_file_test(SEALED, G_FILE_TEST_EXISTS) ||
                   g_file_test(SEALED ".new", G_FILE_TEST_EXISTS) ||
                   g_file_test(DROP_IN, G_FILE_TEST_EXISTS));
    g_assert_cmpint(free_and_strdup(&w.plan->mapping, "esdata"), ==, 0);
    /* undone it is only if there was none before */
    assert_done(&w, key_seal(&w, &step));
    assert_done(&w, key_unseal(&w, &step));
    g_assert_false(g_file_test(SEALED, G_FILE_TEST_EXISTS));
    assert_done(&w, key_seal(&w, &step));
    assert_done(&w, key_seal(&w, &step));
    assert_done(&w, key_unseal(&w, &step));
    g_assert_true(g_file_test(SEALED, G_FILE_TEST_EXISTS));
    assert_done(&w, key_remove(&w, &step));
    /* what fails leaves no key */
    sandbox_tool("systemd-creds", "echo no TPM >&2; exit 1");
    assert_failed(&w, key_seal(&w, &step), "systemd-creds failed with status 1: no TPM");
    g_assert_false(g_file_test(SEALED, G_FILE_TEST_EXISTS));
    sandbox_tool("systemd-creds", "");
    assert_failed(&w, key_seal(&w, &step), SEALED " cannot be written");
    (void)close(w.key_fd);
}

/* The key of a volume was changed: the old one is of no use at boot; a wrong one is not sealed. */
static void test_another_key(void) {
    _cleanup_(work_done) Work w = {};
    bool opened = true;
    Step open = {.type = STEP_LUKS_OPEN};

    if (!work_init(&w))
        return;
    sandbox_tool("cryptsetup", "");
    sandbox_tool("systemd-creds", "case $1 in encrypt) cat $3 >$4;; decrypt) cat $3;; esac");
    g_assert_cmpint(memfd_new_sealed("key", "secret", 6, &w.key_fd), ==, 0);
    g_assert_cmpint(key_is_sealed(&w), ==, 0);
    assert_done(&w, key_seal(&w, &step));
    g_assert_cmpint(key_is_sealed(&w), ==, 1);
    (void)close(w.key_fd);
    g_assert_cmpint(memfd_new_sealed("key", "secret2", 7, &w.key_fd), ==, 0);
    g_assert_cmpint(key_is_sealed(&w), ==, 0);
    sandbox_tool("cryptsetup", "echo No key available with this passphrase. >&2; exit 2");
    assert_failed(&w, key_seal(&w, &step), "cryptsetup failed with status 2: No key available");
    assert_file(SEALED, "secret");
    /* it has just opened the volume */
    w.plan->steps = &open;
    w.plan->n_steps = 1;
    w.done_now = &opened;
    assert_done(&w, key_seal(&w, &step));
    assert_file(SEALED, "secret2");
    w.plan->steps = NULL;
    w.plan->n_steps = 0;
    w.done_now = NULL;
    assert_done(&w, key_remove(&w, &step));
    (void)close(w.key_fd);
}

static void test_directory(void) {
    _cleanup_(work_done) Work w = {}, again = {};

    if (!work_init(&w) || !work_init(&again))
        return;
    g_assert_cmpint(free_and_strdup(&w.plan->request.mount_point, "/run/a/b/c"), ==, 0);
    g_assert_cmpint(free_and_strdup(&again.plan->request.mount_point, "/run/a/b/c"), ==, 0);
    assert_done(&w, directory_make(&w, &step));
    g_assert_cmpint(mode_of("/run/a/b/c"), ==, 0755);
    assert_done(&again, directory_make(&again, &step)); /* it was there: not its own */
    assert_done(&again, directory_remove(&again, &step));
    g_assert_true(g_file_test("/run/a/b/c", G_FILE_TEST_IS_DIR));
    g_assert_true(g_file_set_contents("/run/a/b/c/file", "x", -1, NULL));
    assert_failed(&w, directory_remove(&w, &step),
                  "/run/a/b/c cannot be removed: Directory not empty");
    g_assert_cmpint(g_unlink("/run/a/b/c/file"), ==, 0);
    assert_done(&w, directory_remove(&w, &step));
    g_assert_false(g_file_test("/run/a/b/c", G_FILE_TEST_EXISTS));
    assert_done(&w, directory_remove(&w, &step));
    g_assert_true(g_file_set_contents("/run/file", "x", -1, NULL));
    g_assert_cmpint(free_and_strdup(&w.plan->request.mount_point, "/run/file/below"), ==, 0);
    assert_failed(&w, directory_make(&w, &step), "/run/file/below cannot be made: Not a directory");
}

/* It is busy as long as a process has its working directory there. */
static void test_unmount(void) {
    _cleanup_(work_done) Work w = {};
    g_autofree char *name = NULL;
    int fds[2];
    pid_t pid;
    char c;

    if (!work_init(&w))
        return;
    g_assert_cmpint(g_mkdir("/run/data", 0755), ==, 0);
    g_assert_cmpint(mount("tmpfs", "/run/data", "tmpfs", 0, NULL), ==, 0);
    sandbox_tool("systemctl", "case $1 in show) echo web.service;; esac");
    sandbox_script("unmount", "");
    g_assert_cmpint(pipe2(fds, O_CLOEXEC), ==, 0);
    pid = fork();
    g_assert_cmpint(pid, >=, 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (chdir("/run/data") == 0 && write(fds[1], "x", 1) == 1)
            for (;;)
                (void)pause();
        _exit(1);
    }
    g_assert_cmpint(read(fds[0], &c, 1), ==, 1);
    name = g_strdup_printf("/run/data is in use: test-volume-ste (%d)", (int)pid);
    assert_failed(&w, volume_unmount(&w, &step), name);
    assert_log("systemctl show --property=RequiredBy,BoundBy --value run-data.mount\n"
               "systemctl is-active --quiet web.service\n");
    g_assert_cmpuint(w.n_notes, ==, 0);
    g_assert_cmpint(kill(pid, SIGKILL), ==, 0);
    g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
    (void)close(fds[0]);
    (void)close(fds[1]);
    assert_done(&w, volume_unmount(&w, &step));
    g_assert_cmpuint(w.n_notes, ==, 1);
    g_assert_cmpstr(w.notes[0], ==, "web.service was stopped, because it needs the file system");
    sandbox_script("unmount", "echo target is busy; exit 1");
    assert_failed(&w, volume_unmount_again(&w, &step),
                  "unmount failed with status 1: target is busy");
    sandbox_tool("systemctl", "exit 1");
    assert_failed(&w, volume_unmount(&w, &step), "It cannot be seen who uses /run/data");
    g_assert_cmpint(umount("/run/data"), ==, 0);
    g_assert_cmpint(g_rmdir("/run/data"), ==, 0);
}

static void test_mount(void) {
    char *devices[] = {(char *)"/run/dev/disk", NULL};
    const Step s = {.devices = devices};
    _cleanup_(work_done) Work w = {};

    if (!work_init(&w))
        return;
    sandbox_tool("udevadm", "");
    sandbox_tool("systemctl", "");
    sandbox_script("mount", "");
    w.needs_reload = true;
    assert_failed(&w, volume_mount(&w, &s),
                  "/dev/disk/by-uuid/" FS_UUID " is not there: udev has not found");
    assert_log("systemctl daemon-reload\n"
               "udevadm trigger --action=change /run/dev/disk\n"
               "udevadm wait --timeout=60 /dev/disk/by-uuid/" FS_UUID "\n"
               "udevadm settle --timeout=30\n");
    g_assert_false(w.needs_reload);
}

int main(int argc, char **argv) {
    if (!sandbox_enter())
        no_sandbox = "no mount namespace can be made here";
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/volume-step-system/fstab", test_fstab);
    g_test_add_func("/volume-step-system/foreign-line", test_foreign_line);
    g_test_add_func("/volume-step-system/table-that-cannot-be-written",
                    test_table_that_cannot_be_written);
    g_test_add_func("/volume-step-system/crypttab", test_crypttab);
    g_test_add_func("/volume-step-system/former-lines", test_former_lines);
    g_test_add_func("/volume-step-system/key", test_key);
    g_test_add_func("/volume-step-system/another-key", test_another_key);
    g_test_add_func("/volume-step-system/directory", test_directory);
    g_test_add_func("/volume-step-system/unmount", test_unmount);
    g_test_add_func("/volume-step-system/mount", test_mount);
    return g_test_run();
}
