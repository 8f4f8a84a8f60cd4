/* SPDX-License-Identifier: Apache-2.0 */
#include "volume/check.h"

#include "basic/strv.h"
#include "volume/block.h"
#include "volume/refuse.h"

static bool is_partition_of(const Block *b, const Block *disk) {
    return streq_ptr(b->parent, disk->name);
}

static int refuse_use(const Block *b, Refusal *ret, const char *user) {
    _cleanup_free_ char *name = NULL;

    TRY(block_describe(b, &name));
    return refuse(ret, "in-use",
                  "%s is %s. It is not touched: stop that use first, or name another device", name,
                  user);
}

static int check_mounts(const Facts *f, const Block *b, Refusal *ret) {
    const Mount *m = facts_find_mount(f, b, NULL);
    _cleanup_free_ char *user = NULL;

    if (!m)
        return 0;
    TRY(text_format(&user, "mounted at %s (%s)", m->target, m->fs_type));
    return refuse_use(b, ret, user);
}

static int describe_holder(const Facts *f, const char *name, char **ret) {
    const Block *h = facts_find(f, name);

    if (!h)
        return text_format(ret, "used by %s", name);
    if (h->type == BLOCK_ARRAY)
        return text_format(ret, "a member of the array %s (%s%s%s)", name,
                           h->array_level ?: "level not known", h->array_uuid ? ", UUID " : "",
                           strempty(h->array_uuid));
    if (h->dm_name)
        return text_format(ret, "used by %s (%s)", h->dm_name, name);
    return text_format(ret, "used by %s", name);
}

static bool is_own(const Facts *f, const char *name, const char *own_array) {
    const Block *h = facts_find(f, name);

    return h && h->type == BLOCK_ARRAY && uuid_is(h->array_uuid, own_array);
}

static int check_holders(const Facts *f, const Block *b, const char *own_array, Refusal *ret) {
    for (char *const *h = b->holders; h && *h; h++) {
        _cleanup_free_ char *user = NULL;

        if (is_own(f, *h, own_array)) {
            TRY_PLAN(check_unused(f, facts_find(f, *h), NULL, ret));
            continue;
        }
        TRY(describe_holder(f, *h, &user));
        return refuse_use(b, ret, user);
    }
    return 0;
}

/* What lies on `b` by the other side's word, should its own list lack it. */
static int check_slaves(const Facts *f, const Block *b, const char *own_array, Refusal *ret) {
    for (size_t i = 0; i < f->n_blocks; i++) {
        const Block *other = &f->blocks[i];
        _cleanup_free_ char *user = NULL;

        if (!list_has(other->slaves, b->name) || list_has(b->holders, other->name) ||
            is_own(f, other->name, own_array))
            continue;
        TRY(describe_holder(f, other->name, &user));
        return refuse_use(b, ret, user);
    }
    return 0;
}

static bool is_held_by_own(const Facts *f, const Block *b, const char *own_array) {
    for (char *const *h = b->holders; h && *h; h++)
        if (is_own(f, *h, own_array))
            return true;
    return false;
}

int check_unused(const Facts *f, const Block *b, const char *own_array, Refusal *ret) {
    TRY_PLAN(check_mounts(f, b, ret));
    if (b->swap)
        return refuse_use(b, ret, "used as swap space");
    TRY_PLAN(check_holders(f, b, own_array, ret));
    TRY_PLAN(check_slaves(f, b, own_array, ret));
    if (b->busy && !is_held_by_own(f, b, own_array))
        return refuse_use(b, ret, "in use (the kernel does not say by whom; see lsof)");
    for (size_t i = 0; i < f->n_blocks; i++)
        if (is_partition_of(&f->blocks[i], b))
            TRY_PLAN(check_unused(f, &f->blocks[i], NULL, ret));
    return 0;
}

static bool is_usable_kind(const Block *b) {
    static const char *const others[] = {"ram", "zram", "sr", "fd"};

    for (size_t i = 0; i < ELEMENTSOF(others); i++) {
        const char *number = text_after(b->name, others[i]);

        if (b->type != BLOCK_PARTITION && number && *number >= '0' && *number <= '9')
            return false;
    }
    return true;
}

static bool has_busy_partition(const Facts *f, const Block *disk) {
    for (size_t i = 0; i < f->n_blocks; i++)
        if (is_partition_of(&f->blocks[i], disk) && f->blocks[i].busy)
            return true;
    return false;
}

/* A partition of a disk that is used as a whole: a member of an array, a path of a multipath
 * device. Its partition table is a relic. */
static int check_parent(const Facts *f, const Block *b, Refusal *ret) {
    const Block *disk = facts_find(f, b->parent);

    if (!disk)
        return 0;
    for (size_t i = 0; i < disk->n_signatures; i++)
        if (!streq_ptr(disk->signatures[i].usage, "partition-table")) {
            _cleanup_free_ char *what = NULL;

            TRY(signatures_describe(disk, &what));
            return refuse(ret, "in-use", "%s is a partition of %s, which as a whole holds %s",
                          b->name, disk->name, what);
        }
    if (disk->probe_error != 0)
        return refuse(ret, "unreadable", "what is on %s, the disk of %s, could not be read: %s",
                      disk->name, b->name, strerror(disk->probe_error));
    TRY_PLAN(check_mounts(f, disk, ret));
    if (disk->swap)
        return refuse_use(disk, ret, "used as swap space");
    TRY_PLAN(check_holders(f, disk, NULL, ret));
    TRY_PLAN(check_slaves(f, disk, NULL, ret));
    /* a disk is busy as soon as one of its partitions is, which may be another one */
    return disk->busy && !has_busy_partition(f, disk)
               ? refuse_use(disk, ret, "in use as a whole (the kernel does not say by whom)")
               : 0;
}

bool is_root_disk(const Facts *f, const Block *b) {
    const Block *parent = facts_find(f, b->parent);

    return b->is_root || (parent && parent->is_root);
}

static int check_kind(const Facts *f, const Block *b, Refusal *ret) {
    _cleanup_free_ char *name = NULL;
    const Block *parent = facts_find(f, b->parent);

    TRY(block_describe(b, &name));
    if (is_root_disk(f, b))
        return refuse(ret, "root-disk",
                      "%s belongs to the disk that this system runs from. It is never touched: "
                      "name another device",
                      name);
    if (!is_usable_kind(b))
        return refuse(ret, "kind", "%s is not a disk that could hold a volume", name);
    if (b->read_only || (parent && parent->read_only))
        return refuse(ret, "read-only", "%s is read-only: attach it so that it can be written",
                      name);
    if (b->size_bytes == 0 || (parent && parent->size_bytes == 0))
        return refuse(ret, "too-small", "%s has no size: is there a medium in it?", name);
    return 0;
}

/* A partition that somebody has protected protects its disk. */
static int check_partitions(const Facts *f, const Block *disk, Refusal *ret) {
    for (size_t i = 0; i < f->n_blocks; i++) {
        const Block *b = &f->blocks[i];

        if (!is_partition_of(b, disk))
            continue;
        if (b->is_root)
            return check_kind(f, b, ret);
        if (b->read_only)
            return refuse(ret, "read-only", "%s, a partition of %s, is read-only", b->name,
                          disk->name);
        if (b->probe_error != 0)
            return refuse(ret, "unreadable", "what is on %s, a partition of %s, could not be read",
                          b->name, disk->name);
    }
    return 0;
}

int check_target(const Facts *f, const Block *b, const char *own_array, Refusal *ret) {
    TRY_PLAN(check_kind(f, b, ret));
    TRY_PLAN(check_parent(f, b, ret));
    TRY_PLAN(check_partitions(f, b, ret));
    return check_unused(f, b, own_array, ret);
}

static bool has_partitions(const Facts *f, const Block *b) {
    for (size_t i = 0; i < f->n_blocks; i++)
        if (is_partition_of(&f->blocks[i], b))
            return true;
    return false;
}

bool has_random_data(const Block *b) {
    return b->looks_random && b->n_signatures == 0;
}

bool is_unsigned(const Facts *f, const Block *b) {
    return b->n_signatures == 0 && !has_partitions(f, b);
}

bool is_blank(const Facts *f, const Block *b) {
    return is_unsigned(f, b) && !has_random_data(b);
}

/* Whether it is an encrypted device that is open, or lies on one: what was never written to there
 * looks random. */
static bool is_on_mapping(const Facts *f, const Block *b) {
    for (size_t i = 0; i < f->n_blocks; i++)
        if (f->blocks[i].type == BLOCK_CRYPT && block_lies_on(f, b, &f->blocks[i]))
            return true;
    return b->type == BLOCK_CRYPT;
}

static int list_block(const Facts *f, const Block *b, bool is_part, char ***list) {
    for (size_t i = 0; i < b->n_signatures; i++) {
        _cleanup_free_ char *text = NULL;

        TRY(signature_describe(&b->signatures[i], &text));
        TRY(text_add(list, "%s: %s", b->name, text));
    }
    if (has_random_data(b))
        return text_add(
            list, "%s: random data, perhaps encrypted without a header (plain dm-crypt)%s", b->name,
            is_on_mapping(f, b) ? "; a new encrypted device looks the same" : "");
    return b->n_signatures == 0 && is_part ? text_add(list, "%s: a partition", b->name) : 0;
}

int list_content(const Facts *f, const Block *b, char ***list) {
    TRY(list_block(f, b, false, list));
    for (size_t i = 0; i < f->n_blocks; i++)
        if (is_partition_of(&f->blocks[i], b))
            TRY(list_block(f, &f->blocks[i], true, list));
    return 0;
}

static void lists_free(char ***list) {
    strv_free(*list);
}

int check_blank(const Facts *f, const Block *b, Refusal *ret) {
    _cleanup_free_ char *name = NULL, *what = NULL;
    _cleanup_(lists_free) char **list = NULL;

    if (b->probe_error != 0)
        return refuse(ret, "unreadable", "what is on %s could not be read: %s. It is not touched",
                      b->name, strerror(b->probe_error));
    if (is_blank(f, b))
        return 0;
    TRY(block_describe(b, &name));
    TRY(list_content(f, b, &list));
    TRY(text_join(list, &what));
    return refuse(ret, "signature",
                  "%s is not empty: %s. Nothing was changed. To mount what is there, say "
                  "formatVolume = false; to destroy it, say force = true",
                  name, what);
}
