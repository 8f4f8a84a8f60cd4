/* SPDX-License-Identifier: Apache-2.0 */
#include "volume/block.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

#define LEVELS_MAX 16 /* of devices on devices: facts that go in circles end here */
#define SIZE_KEY " size "

const char *text_after(const char *s, const char *prefix) {
    const size_t n = strlen(prefix);

    return s && strncmp(s, prefix, n) == 0 ? s + n : NULL;
}

bool text_is(const char *s, const char *prefix, const char *rest) {
    return streq_ptr(text_after(s, prefix), rest) && rest;
}

bool list_has(char *const *list, const char *text) {
    for (; list && *list; list++)
        if (streq(*list, text))
            return true;
    return false;
}

static const char *next_digit(const char *s) {
    while (*s == '-' || *s == ':')
        s++;
    return s;
}

bool uuid_is(const char *a, const char *b) {
    if (isempty(a) || isempty(b))
        return false;
    for (a = next_digit(a), b = next_digit(b); *a || *b;
         a = next_digit(a + 1), b = next_digit(b + 1))
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
            return false;
    return true;
}

const Signature *block_find_signature(const Block *b, const char *type, const char *uuid) {
    for (size_t i = 0; i < b->n_signatures; i++) {
        const Signature *s = &b->signatures[i];

        if ((!type || streq(s->type, type)) && (!uuid || uuid_is(s->uuid, uuid)))
            return s;
    }
    return NULL;
}

bool block_shares_btrfs(const Block *a, const Block *b) {
    const Signature *s = a && b ? block_find_signature(a, "btrfs", NULL) : NULL;
    const Signature *t = s ? block_find_signature(b, "btrfs", s->uuid) : NULL;

    return t && s->uuid && s->sub_uuid && t->sub_uuid && !uuid_is(s->sub_uuid, t->sub_uuid);
}

bool block_is_multipath(const Block *b) {
    return text_after(b->dm_uuid, "mpath-") != NULL;
}

static bool has_label(const Block *b, const char *label) {
    for (size_t i = 0; i < b->n_signatures; i++)
        if (streq_ptr(b->signatures[i].label, label))
            return true;
    return false;
}

static bool has_link_in(const Block *b, const char *folder, const char *name) {
    for (char *const *l = b->links; l && *l; l++)
        if (text_is(*l, folder, name))
            return true;
    return false;
}

bool block_is_source(const Block *b, const char *source) {
    const char *value;

    if ((value = text_after(source, "UUID=")))
        return block_find_signature(b, NULL, value) != NULL;
    if ((value = text_after(source, "LABEL=")))
        return has_label(b, value);
    if ((value = text_after(source, "ID=")))
        return has_link_in(b, "disk/by-id/", value);
    if ((value = text_after(source, "PARTUUID=")))
        return has_link_in(b, "disk/by-partuuid/", value);
    if ((value = text_after(source, "PARTLABEL=")))
        return has_link_in(b, "disk/by-partlabel/", value);
    value = text_after(source, "/dev/");
    if (value && text_after(value, "disk/by-uuid/"))
        return list_has(b->links, value) ||
               block_find_signature(b, NULL, text_after(value, "disk/by-uuid/")) != NULL;
    return value && (streq(b->name, value) || list_has(b->links, value) ||
                     (b->dm_name && text_is(value, "mapper/", b->dm_name)));
}

static bool lies_on(const Facts *f, const Block *b, const Block *below, unsigned levels) {
    if (levels == 0)
        return false;
    if (b->parent &&
        (streq(b->parent, below->name) ||
         (facts_find(f, b->parent) && lies_on(f, facts_find(f, b->parent), below, levels - 1))))
        return true;
    if (list_has(below->holders, b->name))
        return true;
    for (char *const *s = b->slaves; s && *s; s++) {
        const Block *slave = facts_find(f, *s);

        if (slave && (slave == below || lies_on(f, slave, below, levels - 1)))
            return true;
    }
    return false;
}

bool block_lies_on(const Facts *f, const Block *b, const Block *below) {
    return lies_on(f, b, below, LEVELS_MAX);
}

const Block *facts_find_array(const Facts *f, const char *uuid) {
    for (size_t i = 0; i < f->n_blocks; i++)
        if (f->blocks[i].type == BLOCK_ARRAY && uuid_is(f->blocks[i].array_uuid, uuid))
            return &f->blocks[i];
    return NULL;
}

/* dm-crypt's identifier is CRYPT-LUKS2-UUID-NAME, its UUID without dashes. */
static bool is_mapping_of(const Block *b, const char *luks_uuid) {
    const char *id = text_after(b->dm_uuid, "CRYPT-LUKS");
    char uuid[33];

    id = id && *id ? text_after(id + 1, "-") : NULL;
    if (!id || strlen(id) < sizeof(uuid) || id[sizeof(uuid) - 1] != '-')
        return false;
    memcpy(uuid, id, sizeof(uuid) - 1);
    uuid[sizeof(uuid) - 1] = 0;
    return uuid_is(uuid, luks_uuid);
}

const Block *facts_find_mapping(const Facts *f, const char *luks_uuid) {
    for (size_t i = 0; i < f->n_blocks; i++)
        if (is_mapping_of(&f->blocks[i], luks_uuid))
            return &f->blocks[i];
    return NULL;
}

const Mount *facts_find_mount(const Facts *f, const Block *b, const char *target) {
    for (size_t i = 0; i < f->n_mounts; i++) {
        const Mount *m = &f->mounts[i];

        if (target && !streq(m->target, target))
            continue;
        if (streq_ptr(m->block, b->name) || block_shares_btrfs(facts_find(f, m->block), b))
            return m;
    }
    return NULL;
}

const Mount *facts_find_mounted(const Facts *f, const char *target) {
    const Mount *last = NULL;

    for (size_t i = 0; i < f->n_mounts; i++)
        if (streq(f->mounts[i].target, target))
            last = &f->mounts[i];
    return last;
}

/* The first that fits is the best; by-path names a slot, which is better than a number. */
static const char *const lasting_links[] = {
    "disk/by-id/md-uuid-", "mapper/",           "disk/by-id/virtio-", "disk/by-id/nvme-",
    "disk/by-id/google-",  "disk/by-id/scsi-",  "disk/by-id/ata-",    "disk/by-id/wwn-",
    "disk/by-id/",         "disk/azure/scsi1/", "disk/by-partuuid/",  "disk/by-path/",
};

/* Links to what is written on it are no use: they are gone as soon as that is overwritten. */
static bool is_about_content(const char *link) {
    return text_after(link, "disk/by-id/lvm-pv-uuid-") || text_after(link, "disk/by-id/dm-uuid-") ||
           text_after(link, "disk/by-id/md-name-");
}

static const char *best_link(const Block *b, const char *prefix) {
    const char *best = NULL;

    for (char *const *l = b->links; l && *l; l++)
        if (text_after(*l, prefix) && !is_about_content(*l) && (!best || strcmp(*l, best) < 0))
            best = *l;
    return best;
}

int block_path(const Block *b, char **ret) {
    const char *link = NULL;
    int n;

    for (size_t i = 0; i < ELEMENTSOF(lasting_links) && !link; i++)
        link = best_link(b, lasting_links[i]);
    n = link || !b->dm_name ? asprintf(ret, "/dev/%s", link ?: b->name)
                            : asprintf(ret, "/dev/mapper/%s", b->dm_name);
    return n < 0 ? -ENOMEM : 0;
}

int block_identity(const Block *b, char **ret) {
    _cleanup_free_ char *path = NULL;
    int n;

    TRY(block_path(b, &path));
    n = asprintf(ret, "%s serial %s" SIZE_KEY "%" PRIu64, path, b->serial ?: "-", b->size_bytes);
    return n < 0 ? -ENOMEM : 0;
}

static size_t known_size(const char *identity) {
    const char *end = NULL;

    for (const char *s = identity; (s = strstr(s, SIZE_KEY)); s++)
        end = s;
    return end ? (size_t)(end - identity) : strlen(identity);
}

bool identity_is(const char *a, const char *b) {
    return known_size(a) == known_size(b) && strncmp(a, b, known_size(a)) == 0;
}
