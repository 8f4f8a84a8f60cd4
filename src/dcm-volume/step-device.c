/* SPDX-License-Identifier: Apache-2.0 */
/* Whoever writes has looked immediately before: each making step begins with make_blank(). */
#include "dcm-volume/step-device.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/file-util.h"
#include "dcm-volume/child.h"
#include "dcm-volume/signature.h"

#define SYSFS_TEXT_MAX ((size_t)4096)
#define STOPS_MAX 3u
#define ZEROS_BYTES 4096u /* of one write */
#define MIB ((uint64_t)1 << 20)

static const char *device_of(const Step *s) {
    return s->devices && *s->devices ? *s->devices : "";
}

/* --- blank devices -------------------------------------------------------------------------- */

static int wipe(Work *w, const char *device) {
    return work_tool(w, (const char *const[]){"wipefs", "--all", "--quiet", device, NULL});
}

static int check(Work *w, const char *device, const char *uuid) {
    _cleanup_free_ char *found = NULL;
    int r;

    r = signature_check(device, uuid, &found);
    if (r == -EEXIST)
        return work_fail(w, "%s has something else on it now: %s", device, found);
    if (r < 0 && r != -ENOMEM)
        return work_fail(w, "%s cannot be read: %s", device, strerror(-r));
    return r;
}

/* `may_wipe`: what is there with our UUID is the rest of a step that was cut. */
static int make_blank(Work *w, const char *device, const char *uuid, bool may_wipe) {
    int r = check(w, device, uuid);

    if (r <= 0)
        return r;
    if (!may_wipe)
        return work_fail(w, "%s is not blank: something with the UUID %s is on it", device, uuid);
    TRY(wipe(w, device));
    r = check(w, device, uuid);
    return r > 0 ? work_fail(w, "%s is not blank after wipefs", device) : r;
}

/* It is on the disk, complete. */
static int verify(Work *w, const char *device, const char *uuid) {
    int r = device_flush(device);

    if (r < 0)
        return work_fail(w, "%s: what was written cannot be flushed: %s", device, strerror(-r));
    r = check(w, device, uuid);
    return r == 0 ? work_fail(w, "%s is blank after a step that reported success", device)
                  : MIN(r, 0);
}

static int write_zeros(Work *w, const char *device, uint64_t bytes) {
    _cleanup_free_ char *of = NULL, *count = NULL;

    if (asprintf(&of, "of=%s", device) < 0) {
        of = NULL;
        return -ENOMEM;
    }
    if (asprintf(&count, "count=%" PRIu64, bytes / ZEROS_BYTES) < 0) {
        count = NULL;
        return -ENOMEM;
    }
    return work_tool(w, (const char *const[]){"dd", "if=/dev/zero", of, "bs=4096", count,
                                              "conv=notrunc,fsync", "status=none", NULL});
}

int device_wipe(Work *w, const Step *s) {
    for (char **d = s->devices; d && *d; d++) {
        TRY(wipe(w, *d));
        /* what has no signature to remove, but looks like data: random data */
        TRY(write_zeros(w, *d, ZEROS_BYTES));
        TRY(make_blank(w, *d, s->uuid, false));
        if (device_flush(*d) < 0)
            return work_fail(w, "%s cannot be written", *d);
    }
    return 0;
}

/* What is somebody else's was not written by us. */
int device_unmake(Work *w, const Step *s) {
    if (signature_check(device_of(s), s->uuid, NULL) == -EEXIST)
        return 0;
    return make_blank(w, device_of(s), s->uuid, true);
}

/* --- arrays --------------------------------------------------------------------------------- */

static int kernel_name(const char *device, char ret[static 256]) {
    _cleanup_free_ char *real = realpath(device, NULL);

    if (!real)
        return -errno;
    (void)snprintf(ret, 256, "%.255s", strrchr(real, '/') + 1);
    return 0;
}

/* udev may look at it at this moment, and hold it; it may also wait for a disk that is locked. */
static int stop_array(Work *w, const char *device) {
    const char *const argv[] = {"mdadm", "--stop", device, NULL};

    for (unsigned i = 0; i < STOPS_MAX; i++) {
        if (child_call(argv, NULL) == 0)
            return 0;
        (void)child_call((const char *const[]){"udevadm", "settle", "--timeout=3", NULL}, NULL);
    }
    return work_tool(w, argv);
}

/* udev starts what it finds, whole or not, and under any name. An array of a member that has our
 * UUID is ours. */
static int stop_holders(Work *w, const char *device, const char *uuid) {
    char name[256], path[512];
    struct dirent *e;
    int r = 0;
    DIR *d;

    if (signature_check(device, uuid, NULL) != 1)
        return 0;
    TRY(kernel_name(device, name));
    (void)snprintf(path, sizeof(path), "/sys/class/block/%s/holders", name);
    d = opendir(path);
    while (r >= 0 && d && (e = readdir(d)))
        if (strncmp(e->d_name, "md", 2) == 0) {
            (void)snprintf(path, sizeof(path), "/dev/%s", e->d_name);
            r = stop_array(w, path);
        }
    if (d)
        (void)closedir(d);
    return r;
}

static int clear_member(Work *w, const char *device, const char *uuid) {
    if (signature_check(device, uuid, NULL) != 1)
        return 0;
    TRY(work_tool(w, (const char *const[]){"mdadm", "--zero-superblock", device, NULL}));
    return make_blank(w, device, uuid, false);
}

/* The locks must be held: otherwise udev starts the array again with the first member that is
 * closed. */
int array_destroy(Work *w, const Step *s) {
    for (char **d = s->devices; d && *d; d++)
        TRY(stop_holders(w, *d, s->uuid));
    for (char **d = s->devices; d && *d; d++)
        TRY(clear_member(w, *d, s->uuid));
    return 0;
}

/* "active", "clean", "readonly", ...; "inactive" and "clear": it does not run. */
static bool array_runs(const char *device) {
    _cleanup_free_ char *state = NULL;
    char name[256], path[512];

    if (kernel_name(device, name) < 0)
        return false;
    (void)snprintf(path, sizeof(path), "/sys/class/block/%s/md/array_state", name);
    if (read_file_at(AT_FDCWD, path, SYSFS_TEXT_MAX, &state, NULL) < 0)
        return false;
    return strncmp(state, "inactive", 8) != 0 && strncmp(state, "clear", 5) != 0;
}

static int run_with_devices(Work *w, const Step *s, const char *script, const char *level) {
    const char *arguments[2 + VOLUME_DEVICES_MAX + 1];
    size_t n = 0;

    if (level)
        arguments[n++] = level;
    arguments[n++] = s->result;
    for (char **d = s->devices; d && *d; d++) {
        if (n >= 2 + VOLUME_DEVICES_MAX)
            return work_fail(w, "There are too many devices");
        arguments[n++] = *d;
    }
    arguments[n] = NULL;
    return work_script(w, script, s->uuid, arguments);
}

static int verify_array(Work *w, const Step *s) {
    if (!work_wait(s->result))
        return work_fail(w, "The array was started, but %s is not there", s->result);
    return array_runs(s->result) ? 0 : work_fail(w, "The array %s does not run", s->result);
}

/* What an earlier array had on its members would be seen at the beginning of the new one, and after
 * a cut nobody could tell it from what somebody has written there since. mdadm(8) lets the data
 * begin in the first thousandth of a member, and never after 129 MiB. */
static int clear_data_begin(Work *w, const char *device) {
    _cleanup_close_ int fd = open(device, O_RDONLY | O_CLOEXEC);
    const off_t end = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
    const uint64_t size = MAX(end, 0);

    if (end < 0)
        return work_fail(w, "%s: its size cannot be read: %s", device, strerror(errno));
    return write_zeros(w, device, MIN(size, MIN(size / 1024, 128 * MIB) + 4 * MIB));
}

int array_create(Work *w, const Step *s) {
    char level[16];

    if (s->wipe_first)
        TRY(array_destroy(w, s));
    for (char **d = s->devices; d && *d; d++) {
        TRY(make_blank(w, *d, s->uuid, false));
        TRY(clear_data_begin(w, *d));
    }
    (void)snprintf(level, sizeof(level), "%d", w->plan->request.raid_level);
    TRY(run_with_devices(w, s, "configureRaid", level));
    TRY(verify_array(w, s));
    for (char **d = s->devices; d && *d; d++)
        TRY(verify(w, *d, s->uuid));
    TRY(wipe(w, s->result));
    return device_flush(s->result);
}

/* Half an array that udev has left inactive keeps the disks from the whole one. */
int array_assemble(Work *w, const Step *s) {
    if (access(s->result, F_OK) == 0 && array_runs(s->result))
        return 0;
    for (char **d = s->devices; d && *d; d++)
        TRY(stop_holders(w, *d, s->uuid));
    TRY(run_with_devices(w, s, "assembleRaid", NULL));
    return verify_array(w, s);
}

int array_stop(Work *w, const Step *s) {
    if (!array_runs(device_of(s)))
        return 0;
    work_settle();
    TRY(stop_array(w, device_of(s)));
    return array_runs(device_of(s)) ? work_fail(w, "The array %s still runs", device_of(s)) : 0;
}

int array_stop_again(Work *w, const Step *s) {
    if (!array_runs(s->result))
        return 0;
    TRY(stop_array(w, s->result));
    return array_runs(s->result) ? work_fail(w, "The array %s still runs", s->result) : 0;
}

int array_grow(Work *w, const Step *s) {
    return work_tool(w, (const char *const[]){"mdadm", "--grow", device_of(s), "--size=max", NULL});
}

/* --- encryption ----------------------------------------------------------------------------- */

int luks_format(Work *w, const Step *s) {
    const char *const arguments[] = {device_of(s), w->plan->mapping, CHILD_KEY_PATH, NULL};

    TRY(make_blank(w, device_of(s), s->uuid, s->wipe_first));
    TRY(work_script_with_key(w, "setupEncryption", s->uuid, arguments));
    return verify(w, device_of(s), s->uuid);
}

/* CRYPT-LUKS2-(digits of the UUID)-(name) */
static bool is_open(const Step *s) {
    _cleanup_free_ char *text = NULL;
    char name[256], path[512];
    char *uuid, *end;

    if (kernel_name(s->result, name) < 0)
        return false;
    (void)snprintf(path, sizeof(path), "/sys/class/block/%s/dm/uuid", name);
    if (read_file_at(AT_FDCWD, path, SYSFS_TEXT_MAX, &text, NULL) < 0)
        return false;
    uuid = strncmp(text, "CRYPT-LUKS", 10) == 0 ? strchr(text + 10, '-') : NULL;
    end = uuid ? strchr(uuid + 1, '-') : NULL;
    if (!end)
        return false;
    *end = 0;
    return uuid_equal(uuid + 1, s->uuid);
}

int luks_open(Work *w, const Step *s) {
    const char *const arguments[] = {device_of(s), w->plan->mapping, CHILD_KEY_PATH, NULL};

    TRY(work_script_with_key(w, "openEncryption", NULL, arguments));
    if (!work_wait(s->result))
        return work_fail(w, "The device was opened, but %s is not there", s->result);
    return is_open(s) ? 0 : work_fail(w, "%s is not of the device %s", s->result, device_of(s));
}

static int close_mapping(Work *w) {
    const char *const arguments[] = {w->plan->mapping, NULL};
    _cleanup_free_ char *path = NULL;

    if (asprintf(&path, "/dev/mapper/%s", w->plan->mapping) < 0)
        return -ENOMEM;
    TRY(work_script(w, "closeEncryption", NULL, arguments));
    return access(path, F_OK) < 0 ? 0 : work_fail(w, "%s is still open", path);
}

int luks_close(Work *w, const Step *s) {
    return close_mapping(w);
}

int luks_close_again(Work *w, const Step *s) {
    return close_mapping(w);
}

int luks_grow(Work *w, const Step *s) {
    static const char key_file[] = "--key-file=" CHILD_KEY_PATH;
    const char *argv[] = {
        "cryptsetup", "resize", "--batch-mode", w->plan->mapping, w->key_fd < 0 ? NULL : key_file,
        NULL};

    return work_tool_with_key(w, argv);
}

/* --- file systems --------------------------------------------------------------------------- */

int file_system_make(Work *w, const Step *s) {
    const Plan *p = w->plan;
    const char *const arguments[] = {device_of(s), p->fs_type, p->request.mount_point,
                                     p->request.encrypted ? "true" : "false", NULL};

    TRY(make_blank(w, device_of(s), s->uuid, s->wipe_first));
    TRY(work_script(w, "format", s->uuid, arguments));
    return verify(w, device_of(s), s->uuid);
}

/* 0: it is not known. */
static uint64_t size_of(const char *point) {
    struct statvfs v;

    return statvfs(point, &v) < 0 ? 0 : (uint64_t)v.f_blocks * v.f_frsize;
}

static int grow(Work *w, const Step *s) {
    const char *point = w->plan->request.mount_point, *type = strempty(w->plan->fs_type);

    if (streq(type, "xfs"))
        return work_tool(w, (const char *const[]){"xfs_growfs", point, NULL});
    if (streq(type, "btrfs"))
        return work_tool(
            w, (const char *const[]){"btrfs", "filesystem", "resize", "max", point, NULL});
    return work_tool(w, (const char *const[]){"resize2fs", device_of(s), NULL});
}

int file_system_grow(Work *w, const Step *s) {
    const char *point = w->plan->request.mount_point;
    const uint64_t before = size_of(point);

    TRY(grow(w, s));
    w->has_grown = before == 0 || size_of(point) > before;
    return 0;
}
