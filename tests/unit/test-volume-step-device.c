/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that a step which writes has looked at its device before, and looks again after: what is
 * somebody else's stays, what is ours is made again where the plan says so, and a script that lies,
 * fails, or is not there is noticed. The scripts get the arguments and variables that are promised,
 * and the key only where they need it. The devices are files here. */
#include "dcm-volume/step-device.h"

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/memfd-util.h"
#include "basic/strv.h"
#include "volume-sandbox.h"

#define DISK "/run/dev/disk"
#define OTHER "/run/dev/other"
#define OURS "11111111-1111-4111-8111-111111111111"
#define FOREIGN "99999999-9999-4999-8999-999999999999"

static const char *no_sandbox; /* why there is none; NULL: there is one */

/* What a step starts with. */
typedef struct Stage {
    Work w;
    char *devices[3];
    Step step;
} Stage;

static void stage_done(Stage *s) {
    work_done(&s->w);
}

/* False: skipped. */
static bool stage_init(Stage *s, const char *on_disk) {
    if (no_sandbox) {
        g_test_skip(no_sandbox);
        return false;
    }
    *s = (Stage){.devices = {(char *)DISK, NULL, NULL}, .step = {.uuid = (char *)OURS}};
    s->step.devices = s->devices;
    sandbox_work(&s->w);
    sandbox_disk(DISK, on_disk);
    sandbox_disk("/run/dev/ours", OURS);
    sandbox_disk("/run/dev/foreign", FOREIGN);
    sandbox_disk("/run/dev/blank", NULL);
    sandbox_tool("wipefs", "for d; do :; done; cp /run/dev/blank $d");
    sandbox_tool("udevadm", "");
    sandbox_tool("mdadm", "");
    sandbox_forget();
    return true;
}

#define _cleanup_stage_ _cleanup_(stage_done)

static void test_format(void) {
    _cleanup_stage_ Stage s = {};

    if (!stage_init(&s, NULL))
        return;
    s.w.plan->request.label = strdup("my label");
    s.w.plan->request.options = strdup("noatime");
    s.w.plan->request.degraded = true;
    sandbox_script(
        "format",
        "cp /run/dev/ours $1; echo $DCM_UUID $DCM_LABEL $DCM_MOUNT_OPTIONS "
        "$DCM_DEGRADED $DCM_RELOADED ${DCM_FRESH-old} >>/run/log; "
        "echo ${CREDENTIALS_DIRECTORY-none} >>/run/log; [ ! -e /dev/fd/3 ] || echo key >>/run/log");
    g_setenv("CREDENTIALS_DIRECTORY", "/run/credentials", true);
    g_assert_cmpint(memfd_new_sealed("key", "secret", 6, &s.w.key_fd), ==, 0);
    assert_done(&s.w, file_system_make(&s.w, &s.step));
    assert_log("format " DISK " ext4 /run/data false\n" OURS
               " my label noatime yes yes old\nnone\n");
    g_unsetenv("CREDENTIALS_DIRECTORY");
    (void)close(s.w.key_fd);
}

/* What is there is somebody else's, also where this step was begun before. */
static void test_foreign(void) {
    for (unsigned wipe_first = 0; wipe_first < 2; wipe_first++) {
        _cleanup_stage_ Stage s = {};

        if (!stage_init(&s, FOREIGN))
            return;
        s.step.wipe_first = wipe_first;
        sandbox_script("format", "cp /run/dev/ours $1");
        assert_failed(&s.w, file_system_make(&s.w, &s.step),
                      "has something else on it now: swap, UUID " FOREIGN);
        sandbox_script("setupEncryption", "cp /run/dev/ours $1");
        assert_failed(&s.w, luks_format(&s.w, &s.step), "has something else on it now");
        sandbox_script("configureRaid", "");
        s.step.result = (char *)"/run/dev/array";
        assert_failed(&s.w, array_create(&s.w, &s.step), "has something else on it now");
        assert_done(&s.w, device_unmake(&s.w, &s.step));
        assert_log("");
    }
}

/* Ours, of a step that was cut: only where the plan says that it was begun. */
static void test_again(void) {
    _cleanup_stage_ Stage s = {};

    if (!stage_init(&s, OURS))
        return;
    sandbox_script("format", "cp /run/dev/ours $1");
    assert_failed(&s.w, file_system_make(&s.w, &s.step),
                  "is not blank: something with the UUID " OURS);
    assert_log("");
    s.step.wipe_first = true;
    assert_done(&s.w, file_system_make(&s.w, &s.step));
    assert_log("wipefs --all --quiet " DISK "\nformat " DISK " ext4 /run/data false\n");
    assert_done(&s.w, device_unmake(&s.w, &s.step));
    assert_log("wipefs --all --quiet " DISK "\n");
    sandbox_disk(DISK, OURS);
    sandbox_tool("wipefs", "");
    assert_failed(&s.w, file_system_make(&s.w, &s.step), "is not blank after wipefs");
    sandbox_tool("wipefs", "echo probing initialization failed >&2; exit 1");
    assert_failed(&s.w, file_system_make(&s.w, &s.step),
                  "wipefs failed with status 1: probing initialization failed");
}

static void test_scripts_that_lie(void) {
    static const struct {
        const char *body, *words;
    } rows[] = {
        {"", DISK " is blank after a step that reported success"},
        {"cp /run/dev/foreign $1", "has something else on it now: swap, UUID " FOREIGN},
        {"rm $1", "cannot be flushed: No such file or directory"},
        {"echo first; echo no space >&2; exit 24", "format failed with status 24: first\nno space"},
        {"kill -9 $$", "format failed with status 137"},
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        _cleanup_stage_ Stage s = {};

        if (!stage_init(&s, NULL))
            return;
        sandbox_script("format", rows[i].body);
        assert_failed(&s.w, file_system_make(&s.w, &s.step), rows[i].words);
    }
}

static void test_scripts_that_cannot_be_run(void) {
    _cleanup_stage_ Stage s = {};

    if (!stage_init(&s, NULL))
        return;
    g_assert_true(g_file_set_contents(CONFDIR "/scripts/format", "", -1, NULL));
    assert_failed(&s.w, file_system_make(&s.w, &s.step), "/scripts/format: it is masked");
    sandbox_script("format", "");
    g_assert_cmpint(g_chmod(CONFDIR "/scripts/format", 0777), ==, 0);
    assert_failed(&s.w, file_system_make(&s.w, &s.step), "group or others can write it");
    g_assert_cmpint(g_chmod(CONFDIR "/scripts/format", 0644), ==, 0);
    assert_failed(&s.w, file_system_make(&s.w, &s.step), "format cannot be run: Permission denied");
    g_assert_cmpint(g_unlink(DISK), ==, 0);
    assert_failed(&s.w, file_system_make(&s.w, &s.step), DISK " cannot be read: No such file");
}

static void test_wipe(void) {
    _cleanup_stage_ Stage s = {};
    g_autofree char *random = g_malloc(1 << 20);
    _cleanup_close_ int fd = -1;
    char begin[4096], zero[4096] = {};

    if (!stage_init(&s, FOREIGN))
        return;
    s.devices[1] = (char *)OTHER;
    memset(random, 'r', 1 << 20);
    g_assert_true(g_file_set_contents(OTHER, random, 1 << 20, NULL));
    sandbox_tool("wipefs", "for d; do :; done; [ $d = " OTHER " ] || cp /run/dev/blank $d");
    assert_done(&s.w, device_wipe(&s.w, &s.step));
    assert_log("wipefs --all --quiet " DISK "\nwipefs --all --quiet " OTHER "\n");
    /* the beginning, where random data were noticed, and not more */
    fd = open(OTHER, O_RDONLY | O_CLOEXEC);
    g_assert_cmpint(pread(fd, begin, sizeof(begin), 0), ==, sizeof(begin));
    g_assert_cmpint(memcmp(begin, zero, sizeof(begin)), ==, 0);
    g_assert_cmpint(pread(fd, begin, sizeof(begin), 4096), ==, sizeof(begin));
    g_assert_cmpint(memcmp(begin, random, sizeof(begin)), ==, 0);
    g_assert_cmpint(lseek(fd, 0, SEEK_END), ==, 1 << 20);
    sandbox_tool("wipefs", "echo $2 is busy; exit 1");
    assert_failed(&s.w, device_wipe(&s.w, &s.step), "wipefs failed with status 1: --quiet is busy");
}

static void test_array(void) {
    _cleanup_stage_ Stage s = {};

    if (!stage_init(&s, NULL))
        return;
    s.devices[1] = (char *)OTHER;
    sandbox_disk(OTHER, NULL);
    s.step.result = (char *)"/run/dev/array";
    s.w.plan->request.raid_level = 10;
    sandbox_script("configureRaid",
                   "for d; do case $d in 10|*array) ;; *) cp /run/dev/ours $d;; esac; done; "
                   "echo $DCM_UUID >>/run/log");
    assert_failed(&s.w, array_create(&s.w, &s.step),
                  "The array was started, but /run/dev/array is not there");
    assert_log("configureRaid 10 /run/dev/array " DISK " " OTHER "\n" OURS
               "\nudevadm wait --timeout=60 /run/dev/array\nudevadm settle --timeout=30\n");
    sandbox_disk(DISK, NULL);
    sandbox_disk(OTHER, NULL);
    sandbox_disk("/run/dev/array", NULL); /* a file is no array */
    assert_failed(&s.w, array_create(&s.w, &s.step), "The array /run/dev/array does not run");
    sandbox_script("assembleRaid", "");
    assert_failed(&s.w, array_assemble(&s.w, &s.step), "The array /run/dev/array does not run");
    sandbox_forget();
    /* members that have our UUID lose it, others stay */
    sandbox_disk(OTHER, FOREIGN);
    sandbox_tool("mdadm", "for d; do :; done; cp /run/dev/blank $d");
    assert_done(&s.w, array_destroy(&s.w, &s.step));
    assert_log("mdadm --zero-superblock " DISK "\n");
    sandbox_disk(DISK, OURS);
    sandbox_tool("mdadm", "");
    assert_failed(&s.w, array_destroy(&s.w, &s.step), "is not blank");
    /* what does not run need not be stopped */
    sandbox_forget();
    assert_done(&s.w, array_stop(&s.w, &s.step));
    assert_done(&s.w, array_stop_again(&s.w, &s.step));
    assert_log("");
    g_assert_cmpint(g_unlink("/run/dev/array"), ==, 0);
}

static void test_too_many_devices(void) {
    _cleanup_stage_ Stage s = {};
    char *many[VOLUME_DEVICES_MAX + 3] = {};

    if (!stage_init(&s, NULL))
        return;
    for (size_t i = 0; i < VOLUME_DEVICES_MAX + 2; i++)
        many[i] = (char *)DISK;
    s.step.devices = many;
    s.step.result = (char *)"/run/dev/array";
    sandbox_script("configureRaid", "");
    assert_failed(&s.w, array_create(&s.w, &s.step), "too many devices");
}

static void test_luks(void) {
    static const char with_key[] = "[ \"$(cat $3)\" = secret ] && echo has the key >>/run/log";
    _cleanup_stage_ Stage s = {};
    g_autofree char *setup = g_strconcat("cp /run/dev/ours $1; ", with_key, NULL);

    if (!stage_init(&s, NULL))
        return;
    s.w.plan->mapping = strdup("esdata");
    g_assert_cmpint(memfd_new_sealed("key", "secret", 6, &s.w.key_fd), ==, 0);
    sandbox_script("setupEncryption", setup);
    assert_done(&s.w, luks_format(&s.w, &s.step));
    assert_log("setupEncryption " DISK " esdata /dev/fd/3\nhas the key\n");
    s.step.result = (char *)"/run/dev/mapping";
    sandbox_script("openEncryption", with_key);
    assert_failed(&s.w, luks_open(&s.w, &s.step), "was opened, but /run/dev/mapping is not there");
    sandbox_disk("/run/dev/mapping", NULL);
    assert_failed(&s.w, luks_open(&s.w, &s.step), "/run/dev/mapping is not of the device " DISK);
    sandbox_script("openEncryption", "echo the key does not open it; exit 11");
    assert_failed(&s.w, luks_open(&s.w, &s.step),
                  "openEncryption failed with status 11: the key does not open it");
    sandbox_forget();
    sandbox_script("closeEncryption", "[ ! -e /dev/fd/3 ] || echo has the key >>/run/log");
    assert_done(&s.w, luks_close(&s.w, &s.step));
    assert_done(&s.w, luks_close_again(&s.w, &s.step));
    assert_log("closeEncryption esdata\ncloseEncryption esdata\n");
    sandbox_tool("cryptsetup", "[ ! -e /dev/fd/3 ] || echo key $(cat /dev/fd/3) >>/run/log");
    assert_done(&s.w, luks_grow(&s.w, &s.step));
    assert_log("cryptsetup resize --batch-mode esdata --key-file=/dev/fd/3\nkey secret\n");
    s.w.key_fd = safe_close(s.w.key_fd);
    assert_done(&s.w, luks_grow(&s.w, &s.step));
    assert_log("cryptsetup resize --batch-mode esdata\n");
    g_assert_cmpint(g_unlink("/run/dev/mapping"), ==, 0);
}

static void test_grow(void) {
    static const struct {
        const char *fs_type, *log;
    } rows[] = {{"ext4", "resize2fs " DISK "\n"},
                {"ext3", "resize2fs " DISK "\n"},
                {"xfs", "xfs_growfs /run/data\n"},
                {"btrfs", "btrfs filesystem resize max /run/data\n"}};

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        _cleanup_stage_ Stage s = {};

        if (!stage_init(&s, OURS))
            return;
        g_assert_cmpint(free_and_strdup(&s.w.plan->fs_type, rows[i].fs_type), ==, 0);
        sandbox_tool("resize2fs", "");
        sandbox_tool("xfs_growfs", "");
        sandbox_tool("btrfs", "");
        assert_done(&s.w, file_system_grow(&s.w, &s.step));
        assert_log(rows[i].log);
        assert_done(&s.w, array_grow(&s.w, &s.step));
        assert_log("mdadm --grow " DISK " --size=max\n");
    }
}

int main(int argc, char **argv) {
    if (!sandbox_enter())
        no_sandbox = "no mount namespace can be made here";
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/volume-step-device/format", test_format);
    g_test_add_func("/volume-step-device/foreign", test_foreign);
    g_test_add_func("/volume-step-device/again", test_again);
    g_test_add_func("/volume-step-device/scripts-that-lie", test_scripts_that_lie);
    g_test_add_func("/volume-step-device/scripts-that-cannot-be-run",
                    test_scripts_that_cannot_be_run);
    g_test_add_func("/volume-step-device/wipe", test_wipe);
    g_test_add_func("/volume-step-device/array", test_array);
    g_test_add_func("/volume-step-device/too-many-devices", test_too_many_devices);
    g_test_add_func("/volume-step-device/luks", test_luks);
    g_test_add_func("/volume-step-device/grow", test_grow);
    return g_test_run();
}
