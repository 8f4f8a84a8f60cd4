/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-volume/look-root.h"

static bool is_system_directory(const char *path) {
    static const char *const directories[] = {"/", "/usr", "/var", "/boot", "/boot/efi", "/efi"};

    for (size_t i = 0; i < ELEMENTSOF(directories); i++)
        if (streq(path, directories[i]))
            return true;
    return false;
}

static bool has_partition_of(const Block *b, const Block *disk) {
    return b->parent && streq(b->parent, disk->name);
}

/* A file system of btrfs on several devices names one of them as the mount's source. */
static bool shares_file_system(const Block *a, const Block *b) {
    for (size_t i = 0; i < a->n_signatures; i++)
        for (size_t j = 0; j < b->n_signatures; j++) {
            const Signature *s = &a->signatures[i], *t = &b->signatures[j];

            if (streq(s->type, "btrfs") && streq(t->type, "btrfs") && s->uuid &&
                streq_ptr(s->uuid, t->uuid))
                return true;
        }
    return false;
}

static bool is_named(char *const *names, const char *name) {
    for (char *const *n = names; n && *n; n++)
        if (streq(*n, name))
            return true;
    return false;
}

/* Whether `b` is below or beside the marked block `root`. */
static bool belongs_to(const Block *b, const Block *root) {
    return is_named(root->slaves, b->name) || has_partition_of(root, b) ||
           has_partition_of(b, root) || shares_file_system(root, b);
}

static bool mark_neighbours(Facts *f) {
    bool changed = false;

    for (size_t i = 0; i < f->n_blocks; i++)
        for (size_t j = 0; f->blocks[i].is_root && j < f->n_blocks; j++)
            if (!f->blocks[j].is_root && belongs_to(&f->blocks[j], &f->blocks[i]))
                f->blocks[j].is_root = changed = true;
    return changed;
}

void mark_root(Facts *f) {
    for (size_t i = 0; i < f->n_mounts; i++) {
        Block *b = facts_find(f, f->mounts[i].block);

        if (b && is_system_directory(f->mounts[i].target))
            b->is_root = true;
    }
    while (mark_neighbours(f))
        ;
}
