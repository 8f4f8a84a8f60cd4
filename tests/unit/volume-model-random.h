/* SPDX-License-Identifier: Apache-2.0 */
/* Random machines: devices with everything that may be on them. */
#pragma once

#include "volume-model.h"

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
