/* SPDX-License-Identifier: Apache-2.0 */
/* A made-up machine: random devices with everything that may be on them, and what the steps of a
 * plan, whole or cut, and a reboot make of it. It knows the rules of disks, not those of the
 * planner. */
#pragma once

#include <glib.h>
#include <stdio.h>

#include "volume/plan-mount.h"

#define MODEL_MIB ((uint64_t)1 << 20)

/* What is within a container (an array, a LUKS device), by the container's UUID: seen only while it
 * is open. */
typedef struct Content {
    char uuid[37];
    char type[16];
    char inner[37]; /* UUID of what is on it */
} Content;

typedef struct Model {
    Facts facts;
    Content contents[64];
    size_t n_contents;
    uint64_t random;
    unsigned n_uuids;
    unsigned trouble;      /* percent of what may be wrong with a machine */
    const char *complaint; /* what a step did that no plan may do; NULL: nothing */
} Model;

static inline uint64_t model_random(Model *m) {
    uint64_t x = m->random; /* xorshift64* (Vigna) */

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    m->random = x;
    return x * 0x2545f4914f6cdd1dULL;
}

static inline unsigned below(Model *m, unsigned n) {
    return (unsigned)((model_random(m) >> 33) % n);
}

static inline bool chance(Model *m, unsigned percent) {
    return below(m, 100) < percent;
}

static inline bool trouble(Model *m, unsigned percent) {
    return below(m, 10000) < percent * m->trouble;
}

static inline int model_uuid(void *userdata, char ret[static 37]) {
    Model *m = userdata;

    g_snprintf(ret, 37, "%08x-0000-4000-8000-%012x", below(m, 0x7fffffff), ++m->n_uuids);
    return 0;
}

/* mdadm(8) and dm-crypt write them in other ways. */
static inline char *uuid_with(const char *uuid, const char *separators) {
    GString *s = g_string_new(NULL);
    unsigned n = 0;

    for (; *uuid; uuid++)
        if (*uuid != '-') {
            if (*separators && n > 0 && n % 8 == 0)
                g_string_append(s, separators);
            g_string_append_c(s, *uuid);
            n++;
        }
    return g_string_free(s, FALSE);
}

static inline void add_text(char ***list, const char *text) {
    size_t n = *list ? g_strv_length(*list) : 0;

    *list = g_realloc_n(*list, n + 2, sizeof(char *));
    (*list)[n] = g_strdup(text);
    (*list)[n + 1] = NULL;
}

static inline bool remove_text(char **list, const char *text) {
    for (size_t i = 0; list && list[i]; i++)
        if (streq(list[i], text)) {
            g_free(list[i]);
            for (; list[i]; i++)
                list[i] = list[i + 1];
            return true;
        }
    return false;
}

static inline Block *model_add_block(Model *m, BlockType type, const char *name, uint64_t size) {
    Facts *f = &m->facts;
    Block *b;

    f->blocks = g_realloc_n(f->blocks, f->n_blocks + 1, sizeof(Block));
    b = &f->blocks[f->n_blocks++];
    *b = (Block){.type = type, .name = g_strdup(name), .size_bytes = size, .sync_percent = -1};
    return b;
}

static inline void block_add_link(Block *b, const char *link) {
    add_text(&b->links, link);
}

static inline void block_sign(Block *b, const char *type, const char *usage, const char *uuid) {
    b->signatures = g_realloc_n(b->signatures, b->n_signatures + 1, sizeof(Signature));
    b->signatures[b->n_signatures++] =
        (Signature){.type = g_strdup(type), .usage = g_strdup(usage), .uuid = g_strdup(uuid)};
}

static inline void block_drop_signature(Block *b, size_t i) {
    Signature *s = &b->signatures[i];

    g_free(s->type);
    g_free(s->usage);
    g_free(s->uuid);
    g_free(s->label);
    b->signatures[i] = b->signatures[--b->n_signatures];
}

static inline void block_blank(Block *b) {
    while (b->n_signatures > 0)
        block_drop_signature(b, 0);
    g_clear_pointer(&b->member_level, g_free);
    b->member_disks = 0;
    b->member_dirty = false;
    b->looks_random = false;
}

/* Also from all lists of others. */
static inline void model_remove_block(Model *m, const char *name) {
    Facts *f = &m->facts;
    g_autofree char *copy = g_strdup(name);

    for (size_t i = 0; i < f->n_blocks; i++) {
        if (remove_text(f->blocks[i].holders, copy) && !*f->blocks[i].holders)
            f->blocks[i].busy = false;
    }
    for (size_t i = 0; i < f->n_blocks; i++)
        if (streq(f->blocks[i].name, copy)) {
            Facts one = {.blocks = g_memdup2(&f->blocks[i], sizeof(Block)), .n_blocks = 1};

            facts_done(&one);
            memmove(&f->blocks[i], &f->blocks[i + 1], (f->n_blocks - i - 1) * sizeof(Block));
            f->n_blocks--;
            return;
        }
}

static inline void model_mount(Model *m, const char *block, const char *target, const char *type) {
    Facts *f = &m->facts;

    f->mounts = g_realloc_n(f->mounts, f->n_mounts + 1, sizeof(Mount));
    f->mounts[f->n_mounts++] = (Mount){.source = g_strdup_printf("/dev/%s", block),
                                       .block = g_strdup(block),
                                       .target = g_strdup(target),
                                       .fs_type = g_strdup(type)};
    if (facts_find(f, block))
        facts_find(f, block)->busy = true;
}

static inline void model_add_line(TabEntry **lines, size_t *n, const char *source,
                                  const char *target, const char *type, bool ours) {
    *lines = g_realloc_n(*lines, *n + 1, sizeof(TabEntry));
    (*lines)[(*n)++] = (TabEntry){.source = g_strdup(source),
                                  .target = g_strdup(target),
                                  .fs_type = g_strdup(type),
                                  .ours = ours};
}

/* `upper` lies on `lower`. */
static inline void model_hold(Model *m, const char *lower, const char *upper) {
    Block *l = facts_find(&m->facts, lower), *u = facts_find(&m->facts, upper);

    add_text(&l->holders, upper);
    add_text(&u->slaves, lower);
    l->busy = true;
}

/* The block that a path of a plan means; NULL: it is not there. */
static inline Block *model_find_path(const Facts *f, const char *path) {
    if (!g_str_has_prefix(path, "/dev/"))
        return NULL;
    for (size_t i = 0; i < f->n_blocks; i++) {
        const Block *b = &f->blocks[i];

        if (streq(b->name, path + 5))
            return &f->blocks[i];
        for (char **l = b->links; l && *l; l++)
            if (streq(*l, path + 5))
                return &f->blocks[i];
    }
    return NULL;
}

/* ---- containers ---- */

static inline Content *model_content(Model *m, const char *uuid) {
    for (size_t i = 0; i < m->n_contents; i++)
        if (streq(m->contents[i].uuid, uuid))
            return &m->contents[i];
    return NULL;
}

static inline void model_set_content(Model *m, const char *uuid, const char *type,
                                     const char *inner) {
    Content *c = model_content(m, uuid);

    if (!c) {
        g_assert_cmpuint(m->n_contents, <, G_N_ELEMENTS(m->contents));
        c = &m->contents[m->n_contents++];
        g_strlcpy(c->uuid, uuid, sizeof(c->uuid));
    }
    g_strlcpy(c->type, type, sizeof(c->type));
    g_strlcpy(c->inner, strempty(inner), sizeof(c->inner));
}

static inline const char *usage_of(const char *type) {
    return streq(type, "crypto_LUKS") ? "crypto" : "filesystem";
}

static inline void model_show_content(Model *m, Block *b, const char *uuid) {
    const Content *c = model_content(m, uuid);

    if (c && *c->inner)
        block_sign(b, c->type, usage_of(c->type), c->inner);
}

/* The name of the new array. */
static inline const char *model_assemble(Model *m, const char *uuid, const char *label,
                                         const char *state) {
    Facts *f = &m->facts;
    g_autofree char *name = g_strdup_printf("md%u", 100 + ++m->n_uuids),
                    *link = g_strdup_printf("md/%s", label), *id = uuid_with(uuid, ":"),
                    *by_id = g_strdup_printf("disk/by-id/md-uuid-%s", id);
    Block *a = model_add_block(m, BLOCK_ARRAY, name, 1000 * MODEL_MIB);
    unsigned n = 0, wanted = 0;

    for (size_t i = 0; i < f->n_blocks; i++)
        for (size_t j = 0; j < f->blocks[i].n_signatures; j++)
            if (streq(f->blocks[i].signatures[j].type, "linux_raid_member") &&
                streq_ptr(f->blocks[i].signatures[j].uuid, uuid)) {
                Block *b = &f->blocks[i];

                a = facts_find(f, name);
                g_free(a->array_level);
                a->array_level = g_strdup(b->member_level);
                wanted = b->member_disks;
                model_hold(m, b->name, name);
                n++;
                break;
            }
    a = facts_find(f, name);
    a->array_uuid = g_strdup(id);
    a->array_state = g_strdup(state);
    a->array_disks = wanted;
    a->array_missing = wanted - MIN(n, wanted);
    block_add_link(a, link);
    block_add_link(a, by_id);
    if (!streq(state, "inactive"))
        model_show_content(m, a, uuid);
    else
        a->size_bytes = 0;
    a->looks_random = chance(m, 20); /* what was on the disks before shines through */
    return a->name;
}

static inline void model_open(Model *m, const char *raw, const char *uuid, const char *name) {
    g_autofree char *dm = g_strdup_printf("dm-%u", 100 + ++m->n_uuids), *id = uuid_with(uuid, ""),
                    *link = g_strdup_printf("mapper/%s", name);
    Block *b = model_add_block(m, BLOCK_CRYPT, dm,
                               facts_find(&m->facts, raw)->size_bytes - 16 * MODEL_MIB);

    b->dm_name = g_strdup(name);
    b->dm_uuid = g_strdup_printf("CRYPT-LUKS2-%s-%s", id, name);
    block_add_link(b, link);
    b->looks_random = chance(m, 90);
    model_hold(m, raw, dm);
    model_show_content(m, facts_find(&m->facts, dm), uuid);
}

/* ---- random machines ---- */

static const char *const model_types[][2] = {
    {"ext4", "filesystem"},       {"xfs", "filesystem"},   {"btrfs", "filesystem"},
    {"crypto_LUKS", "crypto"},    {"LVM2_member", "raid"}, {"linux_raid_member", "raid"},
    {"zfs_member", "filesystem"}, {"swap", "other"},       {"gpt", "partition-table"},
    {"dos", "partition-table"},   {"ext3", "filesystem"},  {"bcache", "other"},
};

/* A file system, or nothing, in a container that is not open. */
static inline void model_fill(Model *m, const char *container) {
    char uuid[37];

    if (chance(m, 80)) {
        (void)model_uuid(m, uuid);
        model_set_content(m, container, model_types[below(m, 3)][0], uuid);
    }
}

static inline void model_sign_randomly(Model *m, Block *b) {
    const char *const *type = model_types[below(m, G_N_ELEMENTS(model_types))];
    char uuid[37];

    (void)model_uuid(m, uuid);
    block_sign(b, type[0], type[1], chance(m, 95) ? uuid : NULL);
    if (streq(type[0], "crypto_LUKS"))
        model_fill(m, uuid);
    if (streq(type[0], "linux_raid_member")) {
        g_free(b->member_level);
        b->member_level = g_strdup("raid1");
        b->member_disks = 2;
    }
}

static inline void model_use_randomly(Model *m, const char *name, unsigned percent) {
    static const char *const targets[] = {"/srv", "/data", "/data/sub", "/home", "/data"};

    if (trouble(m, percent))
        model_mount(m, name, targets[below(m, G_N_ELEMENTS(targets))], "ext4");
    facts_find(&m->facts, name)->swap = trouble(m, percent / 3);
    if (trouble(m, percent / 3))
        facts_find(&m->facts, name)->busy = true;
}

static inline void model_add_partitions(Model *m, const char *disk) {
    for (unsigned i = 1; i <= 1 + below(m, 2); i++) {
        g_autofree char *name = g_strdup_printf("%s%u", disk, i);
        Block *b = model_add_block(m, BLOCK_PARTITION, name, 500 * MODEL_MIB);

        b->parent = g_strdup(disk);
        b->read_only = trouble(m, 2);
        b->probe_error = trouble(m, 2) ? EIO : 0;
        if (chance(m, 60))
            model_sign_randomly(m, b);
        model_use_randomly(m, name, 15);
    }
}

static inline void model_add_disk(Model *m, unsigned i) {
    static const uint64_t sizes[] = {0, 100, 400, 1000, 1000, 1000, 1000, 1200, 10240};
    const char letter = (char)('b' + i);
    g_autofree char *name = g_strdup_printf(chance(m, 80) ? "vd%c" : "xvd%c", letter);
    Block *b = model_add_block(m, BLOCK_DISK, name,
                               sizes[trouble(m, 10) ? below(m, 9) : 3 + below(m, 6)] * MODEL_MIB);
    g_autofree char *link = g_strdup_printf("disk/by-id/virtio-id%u", i);

    if (chance(m, 90)) {
        b->serial = g_strdup_printf("id%u", i);
        block_add_link(b, link);
    }
    if (chance(m, 10))
        b->wanted_name =
            g_strdup_printf("/dev/sd%c", trouble(m, 20) ? (char)('b' + below(m, 4)) : letter);
    b->read_only = trouble(m, 3);
    b->probe_error = trouble(m, 2) ? EIO : 0;
    b->looks_random = trouble(m, 5);
    if (trouble(m, 20))
        model_sign_randomly(m, b);
    if (trouble(m, 3))
        model_sign_randomly(m, b);
    model_use_randomly(m, name, 4);
    if (trouble(m, 8))
        model_add_partitions(m, name);
}

/* Somebody else's array, mapping or logical volume on a disk. */
static inline void model_add_user(Model *m) {
    static const BlockType types[] = {BLOCK_ARRAY, BLOCK_CRYPT, BLOCK_LOGICAL, BLOCK_OTHER};
    const unsigned i = below(m, (unsigned)m->facts.n_blocks);
    g_autofree char *lower = g_strdup(m->facts.blocks[i].name), *name = NULL;
    const BlockType type = types[below(m, G_N_ELEMENTS(types))];
    Block *b;

    name = g_strdup_printf("%s%u", type == BLOCK_ARRAY ? "md" : "dm-", ++m->n_uuids);
    b = model_add_block(m, type, name, 400 * MODEL_MIB);
    if (type != BLOCK_ARRAY) {
        g_autofree char *link = g_strdup_printf("mapper/foreign%u", m->n_uuids);

        b->dm_name = g_strdup_printf("foreign%u", m->n_uuids);
        block_add_link(b, link);
    } else {
        b->array_uuid = g_strdup_printf("aaaaaaaa:%08x:00000000:00000000", below(m, 99));
        b->array_state = g_strdup(chance(m, 50) ? "clean" : "inactive");
    }
    if (type == BLOCK_OTHER)
        b->dm_uuid = g_strdup("mpath-1");
    b->is_root = facts_find(&m->facts, lower)->is_root;
    if (chance(m, 30))
        model_sign_randomly(m, b);
    b->looks_random = chance(m, 30);
    model_hold(m, lower, name);
    if (chance(m, 20)) /* one of the two lists of sysfs was read too early */
        remove_text(facts_find(&m->facts, lower)->holders, name);
    if (chance(m, 50))
        facts_find(&m->facts, lower)->busy = false;
}

/* An array of somebody on the first disks, stopped or running. */
static inline void model_add_array(Model *m) {
    static const unsigned levels[] = {0, 1, 1, 5, 10};
    const unsigned level = levels[below(m, 5)], n = 2 + below(m, 2);
    unsigned n_members = 0;
    char uuid[37];

    (void)model_uuid(m, uuid);
    model_fill(m, uuid);
    for (size_t i = 0; i < m->facts.n_blocks; i++) {
        Block *b = &m->facts.blocks[i];

        if (b->type != BLOCK_DISK || b->is_root || b->n_signatures > 0 || b->busy || n_members >= n)
            continue;
        block_sign(b, "linux_raid_member", "raid", uuid);
        g_free(b->member_level);
        b->member_level = g_strdup_printf("raid%u", level);
        b->member_disks = n + (chance(m, 20) ? 1 : 0);
        b->member_events = chance(m, 90) ? 10 : 3;
        b->member_dirty = chance(m, 10);
        n_members++;
    }
    if (n_members > 0 && chance(m, 50))
        (void)model_assemble(m, uuid, chance(m, 50) ? "data" : "other",
                             chance(m, 70) ? "clean" : "inactive");
}

static inline void model_add_lines(Model *m) {
    static const char *const targets[] = {"/data", "/backup", "none", "/"};
    Facts *f = &m->facts;
    const Block *b = &f->blocks[below(m, (unsigned)f->n_blocks)];
    g_autofree char *source =
        b->n_signatures > 0 && b->signatures[0].uuid && chance(m, 50)
            ? g_strdup_printf("UUID=%s", b->signatures[0].uuid)
            : g_strdup_printf("/dev/%s", b->links && chance(m, 50) ? b->links[0] : b->name);

    if (chance(m, 70))
        model_add_line(&f->fstab, &f->n_fstab, source, targets[below(m, 4)], "ext4", chance(m, 20));
    else
        model_add_line(&f->crypttab, &f->n_crypttab, source, "foreign", NULL, chance(m, 20));
}

static inline void model_add_root(Model *m) {
    Block *b = model_add_block(m, BLOCK_DISK, "vda", 10240 * MODEL_MIB);

    b->is_root = b->busy = true;
    block_sign(b, "gpt", "partition-table", "0-0");
    b = model_add_block(m, BLOCK_PARTITION, "vda1", 9000 * MODEL_MIB);
    b->parent = g_strdup("vda");
    b->is_root = true;
    block_sign(b, "ext4", "filesystem", "1-1");
    model_mount(m, "vda1", "/", "ext4");
}

static inline void model_init(Model *m, uint64_t seed) {
    static const char *const programs[] = {"mdadm",    "cryptsetup", "mkfs.ext3",    "mkfs.ext4",
                                           "mkfs.xfs", "mkfs.btrfs", "systemd-creds"};
    static const PlaceType places[] = {PLACE_ABSENT, PLACE_EMPTY, PLACE_FULL, PLACE_LINK,
                                       PLACE_OTHER};
    const unsigned n = 1 + below((*m = (Model){.random = seed | 1}, m), 6);

    (void)model_random(m);
    m->trouble = below(m, 3) * 60;
    model_add_root(m);
    for (unsigned i = 0; i < n; i++)
        model_add_disk(m, i);
    if (chance(m, 15))
        model_add_array(m);
    while (trouble(m, 20))
        model_add_user(m);
    while (trouble(m, 15))
        model_add_lines(m);
    for (size_t i = 0; i < G_N_ELEMENTS(programs); i++)
        if (!trouble(m, 1))
            add_text(&m->facts.programs, programs[i]);
    m->facts.place = g_strdup("/data");
    m->facts.place_type = places[trouble(m, 10) ? below(m, 5) : below(m, 2)];
    for (size_t i = 0; i < m->facts.n_mounts; i++)
        if (streq(m->facts.mounts[i].target, "/data"))
            m->facts.place_type = PLACE_MOUNT_POINT;
    m->facts.tabs_read_only = trouble(m, 2);
}

static inline void model_done(Model *m) {
    facts_done(&m->facts);
}

/* ---- what steps do ---- */

static inline void wipe_own(Model *m, const char *path, const char *uuid) {
    Block *b = model_find_path(&m->facts, path);

    for (size_t i = 0; b && i < b->n_signatures;)
        if (streq_ptr(b->signatures[i].uuid, uuid))
            block_drop_signature(b, i);
        else
            i++;
}

static inline void stop_array(Model *m, const char *uuid) {
    g_autofree char *id = uuid_with(uuid, ":");

    for (size_t i = 0; i < m->facts.n_blocks; i++)
        if (streq_ptr(m->facts.blocks[i].array_uuid, id)) {
            model_remove_block(m, m->facts.blocks[i].name);
            i = (size_t)-1;
        }
}

static inline void do_wipe(Model *m, const Step *s, bool is_cut) {
    for (char **d = s->devices; *d && !(is_cut && chance(m, 50)); d++) {
        Block *b = model_find_path(&m->facts, *d);
        g_autofree char *name = g_strdup(b->name);

        block_blank(b);
        if (is_cut && chance(m, 50))
            return;
        for (size_t i = 0; i < m->facts.n_blocks; i++)
            if (streq_ptr(m->facts.blocks[i].parent, name)) {
                model_remove_block(m, m->facts.blocks[i].name);
                i = (size_t)-1;
            }
    }
}

static inline void do_raid_create(Model *m, const Step *s, const Plan *p, bool is_cut) {
    const unsigned n = g_strv_length(s->devices), end = is_cut ? below(m, n + 1) : n;

    for (unsigned i = 0; i < end; i++) {
        Block *b = model_find_path(&m->facts, s->devices[i]);

        block_sign(b, "linux_raid_member", "raid", s->uuid);
        g_free(b->member_level);
        b->member_level = g_strdup_printf("raid%d", p->request.raid_level);
        b->member_disks = n;
        b->member_events = i % 2;
    }
    model_set_content(m, s->uuid, "", NULL);
    if (end == n && !(is_cut && chance(m, 50)))
        (void)model_assemble(m, s->uuid, p->array_name, "clean");
    else if (end > 0 && chance(m, 50))
        (void)model_assemble(m, s->uuid, p->array_name, "inactive");
}

/* The UUID of the container that the block is the inside of; NULL: none. */
static inline const char *container_of(const Plan *p, const Block *b) {
    g_autofree char *array = p->array_uuid ? uuid_with(p->array_uuid, ":") : NULL;

    if (b->type == BLOCK_CRYPT)
        return streq_ptr(b->dm_name, p->mapping) ? p->luks_uuid : NULL;
    return array && streq_ptr(b->array_uuid, array) ? p->array_uuid : NULL;
}

/* mkfs and luksFormat show their UUID before they are through. */
static inline void do_make(Model *m, const Step *s, const Plan *p, const char *type, bool is_cut) {
    Block *b = model_find_path(&m->facts, s->devices[0]);
    const char *container = container_of(p, b);

    if (b->n_signatures > 0)
        m->complaint = "makes something on a device that is not blank";
    if (is_cut && chance(m, 50))
        return;
    block_sign(b, type, usage_of(type), s->uuid);
    b->looks_random = false;
    if (container)
        model_set_content(m, container, type, s->uuid);
}

/* Ours alone. */
static inline void model_remove_line(TabEntry *lines, size_t *n, const char *target) {
    for (size_t i = 0; i < *n; i++)
        if (lines[i].ours && streq(lines[i].target, target)) {
            g_free(lines[i].source);
            g_free(lines[i].target);
            g_free(lines[i].fs_type);
            g_free(lines[i].options);
            lines[i--] = lines[--*n];
        }
}

/* One of ours is replaced. */
static inline void do_line(Model *m, const Step *s, const Plan *p) {
    g_autofree char *source = g_strdup_printf("UUID=%s", s->uuid);
    Facts *f = &m->facts;

    if (s->type == STEP_CRYPTTAB) {
        model_remove_line(f->crypttab, &f->n_crypttab, p->mapping);
        model_add_line(&f->crypttab, &f->n_crypttab, source, p->mapping, NULL, true);
        f->crypttab[f->n_crypttab - 1].options = g_strdup(s->options);
    } else {
        model_remove_line(f->fstab, &f->n_fstab, p->request.mount_point);
        model_add_line(&f->fstab, &f->n_fstab, source, p->request.mount_point, p->fs_type, true);
        f->fstab[f->n_fstab - 1].options = g_strdup(s->options);
    }
}

static inline void do_unmount(Model *m, const char *target) {
    Facts *f = &m->facts;

    for (size_t i = 0; i < f->n_mounts; i++)
        if (streq(f->mounts[i].target, target)) {
            if (facts_find(f, f->mounts[i].block))
                facts_find(f, f->mounts[i].block)->busy = false;
            g_free(f->mounts[i].source);
            g_free(f->mounts[i].block);
            g_free(f->mounts[i].target);
            g_free(f->mounts[i].fs_type);
            f->mounts[i--] = f->mounts[--f->n_mounts];
        }
    f->place_type = PLACE_EMPTY;
}

/* The mapping or the array of a step that closes or stops. */
static inline void do_close(Model *m, const Step *s) {
    const Block *b = model_find_path(&m->facts, s->devices[0]);

    if (b && b->holders && *b->holders)
        m->complaint = "closes what somebody uses";
    else if (b)
        model_remove_block(m, b->name);
}

static inline void do_wipe_first(Model *m, const Step *s) {
    if (s->type == STEP_RAID_CREATE)
        stop_array(m, s->uuid);
    for (char **d = s->devices; *d; d++)
        wipe_own(m, *d, s->uuid);
}

static inline void do_mount(Model *m, const Step *s, const Plan *p) {
    model_mount(m, model_find_path(&m->facts, s->devices[0])->name, p->request.mount_point,
                p->fs_type);
    m->facts.place_type = PLACE_MOUNT_POINT;
}

/* `is_cut`: some of it. */
static inline void model_do(Model *m, const Step *s, const Plan *p, bool is_cut) {
    if (s->wipe_first)
        do_wipe_first(m, s);
    switch (s->type) {
    case STEP_WIPE:
        return do_wipe(m, s, is_cut);
    case STEP_RAID_CREATE:
        return do_raid_create(m, s, p, is_cut);
    case STEP_LUKS_FORMAT:
        return do_make(m, s, p, "crypto_LUKS", is_cut);
    case STEP_FORMAT:
        return do_make(m, s, p, p->fs_type, is_cut);
    default:
        break;
    }
    if (is_cut && chance(m, 50))
        return;
    switch (s->type) {
    case STEP_RAID_ASSEMBLE:
        stop_array(m, s->uuid);
        (void)model_assemble(m, s->uuid, p->array_name, "clean");
        break;
    case STEP_LUKS_OPEN:
        model_open(m, model_find_path(&m->facts, s->devices[0])->name, s->uuid, p->mapping);
        break;
    case STEP_CRYPTTAB:
    case STEP_FSTAB:
        do_line(m, s, p);
        break;
    case STEP_SEAL_KEY:
        (void)remove_text(m->facts.sealed, p->mapping);
        add_text(&m->facts.sealed, p->mapping);
        break;
    case STEP_FSTAB_REMOVE:
        model_remove_line(m->facts.fstab, &m->facts.n_fstab, s->result);
        break;
    case STEP_CRYPTTAB_REMOVE:
        model_remove_line(m->facts.crypttab, &m->facts.n_crypttab, s->result);
        break;
    case STEP_KEY_REMOVE:
        (void)remove_text(m->facts.sealed, s->result);
        break;
    case STEP_UNMOUNT:
        do_unmount(m, s->result);
        break;
    case STEP_LUKS_CLOSE:
    case STEP_RAID_STOP:
        do_close(m, s);
        break;
    case STEP_DIRECTORY:
        m->facts.place_type = PLACE_EMPTY;
        break;
    case STEP_MOUNT:
        do_mount(m, s, p);
        break;
    default:
        break;
    }
}

/* What is not written down is gone: mounts of the plan, mappings; arrays may come back, whole, not
 * started, or not at all. */
static inline void model_reboot(Model *m, const Plan *p) {
    Facts *f = &m->facts;
    bool is_there = false;

    if (f->place_type == PLACE_MOUNT_POINT)
        do_unmount(m, p->request.mount_point);
    for (size_t i = 0; p->mapping && i < f->n_blocks; i++)
        if (streq_ptr(f->blocks[i].dm_name, p->mapping)) {
            model_remove_block(m, f->blocks[i].name);
            break;
        }
    if (!p->array_uuid)
        return;
    stop_array(m, p->array_uuid);
    for (size_t i = 0; i < f->n_blocks; i++)
        for (size_t j = 0; j < f->blocks[i].n_signatures; j++)
            is_there = is_there || streq_ptr(f->blocks[i].signatures[j].uuid, p->array_uuid);
    if (is_there && chance(m, 70)) {
        unsigned n = 0, wanted = 0;

        for (size_t i = 0; i < f->n_blocks; i++)
            for (size_t j = 0; j < f->blocks[i].n_signatures; j++)
                if (streq_ptr(f->blocks[i].signatures[j].uuid, p->array_uuid)) {
                    n++;
                    wanted = f->blocks[i].member_disks;
                }
        (void)model_assemble(m, p->array_uuid, p->array_name,
                             n == wanted && chance(m, 70) ? "clean" : "inactive");
    }
}
