/* SPDX-License-Identifier: Apache-2.0 */
/* LVM freezes the file system by itself while it makes a snapshot, and fails if somebody else has
 * done so. A snapshot is mounted where nobody else sees it, so that no mount is left. */
#include "dcm-backup/snapshot.h"

#include <libmount/libmount.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

#include "basic/array.h"
#include "basic/bounds.h"

#define SIZE_OF_ORIGIN "20%ORIGIN" /* for what changes meanwhile */
#define FULL 100.0
#define BTRFS_PREFIX ".dcm-backup-" /* of snapshots' names */

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

typedef struct Plan {
    Work *w;
    const char *name;
    struct libmnt_table *mounts;
    GuardState *state;
    size_t allocated;
} Plan;

static void end_at(char *text, const char *set) {
    text[strcspn(text, set)] = 0;
}

static int refuse(Work *w, const char *mount_point, const char *why) {
    return work_fail(w, "no-snapshot",
                     "There can be no snapshot of %s: %s. What is mounted below a path can be left "
                     "out: by excludes, or by one_file_system",
                     mount_point, why);
}

static int plan_lvm(Plan *p, Snapshot *s, struct libmnt_fs *fs) {
    const char *source = strempty(mnt_fs_get_source(fs));
    _cleanup_free_ char *lv = NULL;
    char *origin, *slash;

    if (!streq(strempty(mnt_fs_get_root(fs)), "/"))
        return refuse(p->w, s->mount_point, "it is a part of a file system, mounted there");
    if (*source != '/' ||
        work_try_tool(p->w,
                      (const char *const[]){"lvs", "--noheadings", "--separator=/", "--options",
                                            "vg_name,lv_name", source, NULL},
                      &lv) != 0)
        return refuse(p->w, s->mount_point, "it is neither a logical volume of LVM nor btrfs");
    origin = lv + strspn(lv, " ");
    end_at(origin, " \n");
    TRY(free_and_strdup(&s->origin, origin));
    slash = strchr(origin, '/');
    if (!slash)
        return refuse(p->w, s->mount_point, "lvs says nothing that is understood");
    *slash = 0;
    if (asprintf(&s->name, "%s/dcm-backup-%s-%zu", origin, p->name, p->state->n_snapshots) < 0) {
        s->name = NULL;
        return -ENOMEM;
    }
    return 0;
}

/* "ID 257 gen 9 top level 5 path data/.dcm-backup-..."; another run's snapshot does not count. */
static bool has_subvolume(const char *list) {
    for (const char *line = list, *end; *line; line = *end ? end + 1 : end) {
        const char *last = line;

        end = line + strcspn(line, "\n");
        for (const char *c = line; c < end; c++)
            if (*c == '/' || *c == ' ')
                last = c + 1;
        if (strncmp(last, BTRFS_PREFIX, strlen(BTRFS_PREFIX)) != 0)
            return true;
    }
    return false;
}

/* Subvolumes within it would be empty directories in its snapshot. */
static int plan_btrfs(Plan *p, Snapshot *s) {
    _cleanup_free_ char *nested = NULL;

    TRY(work_tool(p->w,
                  (const char *const[]){"btrfs", "subvolume", "list", "-o", s->mount_point, NULL},
                  &nested));
    if (has_subvolume(nested))
        return refuse(p->w, s->mount_point, "it has subvolumes, which a snapshot does not contain");
    if (asprintf(&s->name, "%s/" BTRFS_PREFIX "%s", s->mount_point, p->name) < 0) {
        s->name = NULL;
        return -ENOMEM;
    }
    return 0;
}

static bool has(const GuardState *s, const char *mount_point) {
    for (size_t i = 0; i < s->n_snapshots; i++)
        if (streq(s->snapshots[i].mount_point, mount_point))
            return true;
    return false;
}

static int plan_mount(Plan *p, struct libmnt_fs *fs) {
    const char *target = strempty(mnt_fs_get_target(fs));
    Snapshot *s;

    if (has(p->state, target))
        return 0;
    if (streq(target, "/"))
        return refuse(p->w, target, "it is the root file system");
    TRY(array_reserve(&p->state->snapshots, &p->allocated, p->state->n_snapshots + 1,
                      BACKUP_PATHS_MAX));
    s = &p->state->snapshots[p->state->n_snapshots++];
    *s = (Snapshot){.mount_point = strdup(target)};
    if (!s->mount_point)
        return -ENOMEM;
    TRY(free_and_strdup(&s->fs_type, strempty(mnt_fs_get_fstype(fs))));
    s->is_btrfs = streq(s->fs_type, "btrfs");
    return s->is_btrfs ? plan_btrfs(p, s) : plan_lvm(p, s, fs);
}

static bool is_below(const char *path, const char *directory) {
    const size_t size = directory[1] ? strlen(directory) : 0;

    return strncmp(path, directory, size) == 0 && path[size] == '/';
}

static bool is_left_out(const Plan *p, const char *path) {
    for (char *const *e = p->w->request.excludes; e && *e; e++)
        if (streq(*e, path) || is_below(path, *e))
            return true;
    return false;
}

/* The last mount at a place is the one that is seen there. */
static int plan_below(Plan *p, const char *path) {
    struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_BACKWARD);
    struct libmnt_fs *fs;
    int r = iter ? 0 : -ENOMEM;

    while (r >= 0 && mnt_table_next_fs(p->mounts, iter, &fs) == 0) {
        const char *target = strempty(mnt_fs_get_target(fs));

        if (is_below(target, path) && !is_left_out(p, target))
            r = plan_mount(p, fs);
    }
    mnt_free_iter(iter);
    return r;
}

static int plan_path(Plan *p, const char *path) {
    struct libmnt_fs *fs = mnt_table_find_mountpoint(p->mounts, path, MNT_ITER_BACKWARD);

    if (!fs)
        return refuse(p->w, path, "nobody knows on which file system it is");
    TRY(plan_mount(p, fs));
    return p->w->request.one_file_system ? 0 : plan_below(p, path);
}

/* What is mounted below something else comes later. */
static int compare(const void *a, const void *b) {
    return strcmp(((const Snapshot *)a)->mount_point, ((const Snapshot *)b)->mount_point);
}

int snapshots_plan(Work *w, char *const *paths, const char *name, GuardState *s) {
    Plan p = {.w = w, .name = name, .mounts = mnt_new_table(), .state = s};
    int r = p.mounts ? mnt_table_parse_file(p.mounts, "/proc/self/mountinfo") : -ENOMEM;

    for (char *const *path = paths; r >= 0 && *path; path++)
        r = plan_path(&p, *path);
    mnt_unref_table(p.mounts);
    if (r >= 0)
        qsort(s->snapshots, s->n_snapshots, sizeof(Snapshot), compare);
    return r;
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

/* lvs has one status for "there is none" and for all that can go wrong. */
static int is_there(Work *w, const Snapshot *s) {
    const char *slash = strchr(strempty(s->name), '/');
    _cleanup_free_ char *selection = NULL, *found = NULL;

    if (s->is_btrfs)
        return access(s->name, F_OK) >= 0;
    if (!slash)
        return 0;
    if (asprintf(&selection, "vg_name=\"%.*s\" && lv_name=\"%s\"", (int)(slash - s->name), s->name,
                 slash + 1) < 0) {
        selection = NULL;
        return -ENOMEM;
    }
    TRY(work_tool(w,
                  (const char *const[]){"lvs", "--noheadings", "--options", "lv_name", "--select",
                                        selection, NULL},
                  &found));
    return found[strspn(found, " \n")] != 0;
}

int snapshot_remove(Work *w, const Snapshot *s) {
    const int r = is_there(w, s);

    if (r <= 0)
        return r;
    if (s->is_btrfs)
        return work_tool(w, (const char *const[]){"btrfs", "subvolume", "delete", s->name, NULL},
                         NULL);
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
