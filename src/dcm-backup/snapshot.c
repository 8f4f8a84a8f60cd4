/* SPDX-License-Identifier: Apache-2.0 */
/* LVM freezes the file system by itself while it makes a snapshot, and fails if somebody else has
 * done so. A snapshot is mounted where nobody else sees it, so that no mount is left. */
#include "dcm-backup/snapshot.h"

#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

#define SIZE_OF_ORIGIN "20%ORIGIN" /* for what changes meanwhile */
#define FULL 100.0

static const Field snapshot_fields[] = {
    {.key = "is_btrfs", .type = FIELD_BOOL, .offset = offsetof(Snapshot, is_btrfs)},
    {.key = "mount_point", .type = FIELD_TEXT, .offset = offsetof(Snapshot, mount_point)},
    {.key = "origin", .type = FIELD_TEXT, .offset = offsetof(Snapshot, origin)},
    {.key = "name", .type = FIELD_TEXT, .offset = offsetof(Snapshot, name)},
    {.key = "fs_type", .type = FIELD_TEXT, .offset = offsetof(Snapshot, fs_type)},
};

const FieldTable snapshot_table = {snapshot_fields, ELEMENTSOF(snapshot_fields), sizeof(Snapshot)};

/* --- where the paths are -----------------------------------------------------------------------
 */

static void end_at(char *text, const char *set) {
    text[strcspn(text, set)] = 0;
}

static int ask_mount(Work *w, const char *path, const char *column, char **ret) {
    TRY(work_tool(w,
                  (const char *const[]){"findmnt", "--noheadings", "--raw", "--output", column,
                                        "--target", path, NULL},
                  ret));
    end_at(*ret, "\n");
    return 0;
}

static bool has(const GuardState *s, const char *mount_point) {
    for (size_t i = 0; i < s->n_snapshots; i++)
        if (streq(s->snapshots[i].mount_point, mount_point))
            return true;
    return false;
}

static int plan_lvm(Work *w, Snapshot *s, const char *path, const char *name, size_t i) {
    _cleanup_free_ char *source = NULL, *lv = NULL;
    char *origin, *slash;

    TRY(ask_mount(w, path, "SOURCE", &source));
    if (work_try_tool(w,
                      (const char *const[]){"lvs", "--noheadings", "--separator=/", "--options",
                                            "vg_name,lv_name", source, NULL},
                      &lv) != 0)
        return work_fail(
            w, "no-snapshot",
            "There can be no snapshot of %s: %s is neither a logical volume of LVM nor "
            "btrfs",
            s->mount_point, source);
    origin = lv + strspn(lv, " ");
    end_at(origin, " \n");
    TRY(free_and_strdup(&s->origin, origin));
    slash = strchr(origin, '/');
    if (!slash)
        return work_fail(w, "no-snapshot", "lvs says nothing that is understood of %s", source);
    *slash = 0;
    if (asprintf(&s->name, "%s/dcm-backup-%s-%zu", origin, name, i) < 0) {
        s->name = NULL;
        return -ENOMEM;
    }
    return 0;
}

/* Subvolumes within it would be empty directories in its snapshot. */
static int plan_btrfs(Work *w, Snapshot *s, const char *name) {
    _cleanup_free_ char *nested = NULL;

    TRY(work_tool(w,
                  (const char *const[]){"btrfs", "subvolume", "list", "-o", s->mount_point, NULL},
                  &nested));
    if (*nested)
        return work_fail(w, "no-snapshot",
                         "There can be no snapshot of %s: it has subvolumes, which a snapshot does "
                         "not contain",
                         s->mount_point);
    if (asprintf(&s->name, "%s/.dcm-backup-%s", s->mount_point, name) < 0) {
        s->name = NULL;
        return -ENOMEM;
    }
    return 0;
}

static int plan_path(Work *w, const char *path, const char *name, GuardState *state) {
    _cleanup_free_ char *mount_point = NULL;
    Snapshot *grown, *s;

    TRY(ask_mount(w, path, "TARGET", &mount_point));
    if (has(state, mount_point))
        return 0;
    if (streq(mount_point, "/"))
        return work_fail(w, "no-snapshot",
                         "There can be no snapshot for %s: it is on the root file system", path);
    grown = reallocarray(state->snapshots, state->n_snapshots + 1, sizeof(Snapshot));
    if (!grown)
        return -ENOMEM;
    state->snapshots = grown;
    s = &grown[state->n_snapshots++];
    *s = (Snapshot){.mount_point = TAKE_PTR(mount_point)};
    TRY(ask_mount(w, path, "FSTYPE", &s->fs_type));
    s->is_btrfs = streq(s->fs_type, "btrfs");
    return s->is_btrfs ? plan_btrfs(w, s, name) : plan_lvm(w, s, path, name, state->n_snapshots);
}

int snapshots_plan(Work *w, char *const *paths, const char *name, GuardState *s) {
    for (char *const *p = paths; *p; p++)
        TRY(plan_path(w, *p, name, s));
    return 0;
}

/* --- their life --------------------------------------------------------------------------------
 */

int snapshot_make(Work *w, const Snapshot *s) {
    if (s->is_btrfs)
        return work_tool(w,
                         (const char *const[]){"btrfs", "subvolume", "snapshot", "-r",
                                               s->mount_point, s->name, NULL},
                         NULL);
    return work_tool(w,
                     (const char *const[]){"lvcreate", "--quiet", "--snapshot", "--name", s->name,
                                           "--extents", SIZE_OF_ORIGIN, s->origin, NULL},
                     NULL);
}

int snapshot_check(Work *w, const Snapshot *s) {
    _cleanup_free_ char *text = NULL;

    if (s->is_btrfs)
        return 0;
    TRY(work_tool(
        w, (const char *const[]){"lvs", "--noheadings", "--options", "snap_percent", s->name, NULL},
        &text));
    if (strtod(text, NULL) < FULL)
        return 0;
    return work_fail(w, "no-snapshot",
                     "The snapshot of %s was full before all was read: more was changed meanwhile "
                     "than it could hold",
                     s->mount_point);
}

int snapshot_remove(Work *w, const Snapshot *s) {
    if (s->is_btrfs)
        return access(s->name, F_OK) < 0
                   ? 0
                   : work_tool(w,
                               (const char *const[]){"btrfs", "subvolume", "delete", s->name, NULL},
                               NULL);
    if (work_try_tool(w, (const char *const[]){"lvs", "--noheadings", s->name, NULL}, NULL) != 0)
        return 0;
    return work_tool(w, (const char *const[]){"lvremove", "--quiet", "--yes", s->name, NULL}, NULL);
}

static int put_over(const Snapshot *s) {
    _cleanup_free_ char *device = NULL;

    if (s->is_btrfs)
        return mount(s->name, s->mount_point, NULL, MS_BIND, NULL) < 0 ? -errno : 0;
    if (asprintf(&device, "/dev/%s", s->name) < 0)
        return -ENOMEM;
    return mount(device, s->mount_point, s->fs_type, MS_RDONLY,
                 streq(s->fs_type, "xfs") ? "nouuid" : NULL) < 0
               ? -errno
               : 0;
}

int snapshots_enter(const GuardState *s) {
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return -errno;
    for (size_t i = 0; i < s->n_snapshots; i++)
        TRY(put_over(&s->snapshots[i]));
    return 0;
}
