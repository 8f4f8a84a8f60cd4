/* SPDX-License-Identifier: Apache-2.0 */
/* A made-up machine: devices, what is on them and on each other, mounts and lines. It knows the
 * rules of disks, not those of the planner. */
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

static inline void model_done(Model *m) {
    facts_done(&m->facts);
}
