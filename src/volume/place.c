/* SPDX-License-Identifier: Apache-2.0 */
#include "volume/place.h"

#include "volume/block.h"
#include "volume/refuse.h"

/* Nothing is mounted on these ... */
static const char *const system_directories[] = {
    "/",           "/root",      "/run",     "/usr",       "/usr/local",  "/var",
    "/var/cache",  "/var/lib",   "/var/log", "/var/spool", "/var/run",    "/etc",
    "/lost+found", "/usr/share", "/sysroot", "/var/lock",  "/var/backups"};

/* ... nor on these and what is below them. A job has a /tmp and a /var/tmp of its own: it would
 * look at another directory than the one that is mounted on. */
static const char *const system_trees[] = {"/bin",
                                           "/boot",
                                           "/dev",
                                           "/efi",
                                           "/etc",
                                           "/lib",
                                           "/lib32",
                                           "/lib64",
                                           "/libx32",
                                           "/proc",
                                           "/sbin",
                                           "/sys",
                                           "/tmp",
                                           "/usr/bin",
                                           "/usr/lib",
                                           "/usr/lib32",
                                           "/usr/lib64",
                                           "/usr/libexec",
                                           "/usr/sbin",
                                           "/run/systemd",
                                           "/run/udev",
                                           "/run/credentials",
                                           "/run/dbus",
                                           "/var/lib/systemd",
                                           "/var/lib/dpkg",
                                           "/var/lib/rpm",
                                           "/var/lib/dcm-agent",
                                           "/var/lib/dcm-jobs",
                                           "/var/lib/dcm-volumes",
                                           "/var/tmp"};

/* Whether `path` is below `above`, and is not the same. */
static bool is_below(const char *path, const char *above) {
    const char *rest = streq(above, "/") ? path : text_after(path, above);

    return rest && *rest == '/' && rest[1];
}

static bool is_system(const char *path) {
    for (size_t i = 0; i < ELEMENTSOF(system_directories); i++)
        if (streq(system_directories[i], path))
            return true;
    for (size_t i = 0; i < ELEMENTSOF(system_trees); i++)
        if (streq(system_trees[i], path) || is_below(path, system_trees[i]))
            return true;
    return false;
}

/* The mount that a directory is in. */
static const Mount *mount_above(const Facts *f, const char *path) {
    const Mount *nearest = NULL;

    for (size_t i = 0; i < f->n_mounts; i++) {
        const Mount *m = &f->mounts[i];

        if (is_below(path, m->target) && (!nearest || strlen(m->target) >= strlen(nearest->target)))
            nearest = m;
    }
    return nearest;
}

static int check_mounted(const Facts *f, const char *path, const Block *top, Refusal *ret) {
    const Mount *m = facts_find_mounted(f, path);

    if (!m || (top && (streq_ptr(m->block, top->name) ||
                       block_shares_btrfs(facts_find(f, m->block), top))))
        return 0;
    return refuse(ret, "mount-point",
                  "%s is the mount point of %s (%s). Unmount that first, or name another directory",
                  path, m->source, m->fs_type);
}

static int check_directory(const Facts *f, const char *path, Refusal *ret) {
    switch (f->place_type) {
    case PLACE_ABSENT:
    case PLACE_EMPTY:
        return 0;
    case PLACE_FULL:
        return refuse(ret, "mount-point",
                      "%s is not empty: what is there would be hidden. Move it away, or name "
                      "another directory",
                      path);
    case PLACE_LINK:
        return refuse(ret, "mount-point",
                      "%s is a symbolic link, or leads over one: name the directory itself", path);
    case PLACE_OTHER:
        return refuse(ret, "mount-point", "%s is not a directory, or leads over what is none",
                      path);
    case PLACE_MOUNT_POINT:
        return facts_find_mounted(f, path)
                   ? 0
                   : refuse(ret, "mount-point", "%s is a mount point of something not known", path);
    }
    return -EINVAL;
}

int check_place(const Facts *f, const char *path, const Block *top, Refusal *ret) {
    const Mount *above = mount_above(f, path);

    if (is_system(path))
        return refuse(ret, "mount-point",
                      "%s is a directory of the system: name one that is only for this volume",
                      path);
    TRY_PLAN(check_mounted(f, path, top, ret));
    TRY_PLAN(check_directory(f, path, ret));
    if (f->place_type == PLACE_ABSENT && above && above->read_only)
        return refuse(ret, "read-only",
                      "%s does not exist, and cannot be made: %s is mounted read-only", path,
                      above->target);
    return 0;
}

/* Ours is not mounted at boot if it waits for its key, but it will be. */
int check_above(const Facts *f, const char *path, Refusal *ret) {
    for (size_t i = 0; i < f->n_fstab; i++) {
        const TabEntry *e = &f->fstab[i];

        if (!streq(e->target, "/") && is_below(path, e->target) &&
            (e->ours || !mount_options_have(e->options, "noauto")) &&
            !facts_find_mounted(f, e->target))
            return refuse(ret, "parent",
                          "%s is below %s, for which fstab has %s, but which is not mounted: mount "
                          "it first, or this volume would be hidden by it",
                          path, e->target, e->source);
    }
    return 0;
}

const TabEntry *find_fstab(const Facts *f, const char *path, bool ours) {
    for (size_t i = 0; i < f->n_fstab; i++)
        if (f->fstab[i].ours == ours && streq(f->fstab[i].target, path))
            return &f->fstab[i];
    return NULL;
}

int check_claims(const Facts *f, const Block *b, const char *path, const char *mapping,
                 Refusal *ret) {
    for (size_t i = 0; i < f->n_fstab; i++) {
        const TabEntry *e = &f->fstab[i];

        if (block_is_source(b, e->source) && !(path && streq(e->target, path)))
            return refuse(ret, "fstab",
                          "fstab has a line for %s: %s %s %s. Remove the line first%s", b->name,
                          e->source, e->target, strempty(e->fs_type),
                          e->ours ? " (unmount_volume does)" : ", or name another device");
    }
    for (size_t i = 0; i < f->n_crypttab; i++) {
        const TabEntry *e = &f->crypttab[i];

        if (block_is_source(b, e->source) && !(mapping && streq(e->target, mapping)))
            return refuse(ret, "crypttab",
                          "crypttab has a line for %s: %s %s. Remove the line first%s", b->name,
                          e->target, e->source,
                          e->ours ? " (unmount_volume does)" : ", or name another device");
    }
    return 0;
}
