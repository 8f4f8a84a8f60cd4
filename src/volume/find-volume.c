/* SPDX-License-Identifier: Apache-2.0 */
#include "volume/find-volume.h"

#include "volume/block.h"
#include "volume/check.h"
#include "volume/refuse.h"
#include "volume/resolve.h"

typedef struct Search {
    const Facts *facts;
    const char *name;    /* without /dev/ */
    const Block *device; /* that has this name; NULL: none */
    char *identity;      /* of `device` */
    FoundVolume found;
    const char *other; /* another mount point that fits as well; NULL: none */
} Search;

static void search_done(Search *s) {
    free(s->identity);
}

/* The old agent put es before the name of what is encrypted. */
static bool is_name(const char *candidate, const char *name) {
    return candidate && (streq(candidate, name) || text_is(candidate, "es", name) ||
                         text_is(name, "es", candidate));
}

static const char *last_part(const char *path) {
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static bool is_block_meant(const Search *s, const Block *b) {
    return is_name(b->name, s->name) || is_name(b->dm_name, last_part(s->name)) ||
           list_has(b->links, s->name) ||
           (s->device && (b == s->device || block_lies_on(s->facts, b, s->device)));
}

static bool is_mount_meant(const Search *s, const Mount *m, const char *name) {
    const Block *b = facts_find(s->facts, m->block);

    return b && (streq(m->target, name) || is_name(last_part(m->source), s->name) ||
                 is_block_meant(s, b));
}

static bool is_record_meant(const Search *s, const Plan *p, const char *name) {
    if (streq_ptr(p->request.mount_point, name) || is_name(p->mapping, last_part(s->name)) ||
        is_name(p->array_name, last_part(s->name)))
        return true;
    for (char *const *d = p->request.devices; d && *d; d++)
        if (streq(text_after(*d, "/dev/") ?: *d, s->name))
            return true;
    for (char *const *d = p->disks; d && *d && s->identity; d++)
        if (identity_is(*d, s->identity))
            return true;
    return false;
}

/* Names are compared as they are, and as clouds change them. */
static int find_device(Search *s) {
    Refusal refusal = {};
    int r = resolve_device(s->facts, s->name, &s->device, &refusal);

    if (r == 1 && streq(refusal.code, "missing") && text_after(s->name, "es")) {
        refusal_done(&refusal);
        r = resolve_device(s->facts, text_after(s->name, "es"), &s->device, &refusal);
    }
    if (r == 1)
        s->device = NULL; /* it may still be the name of a mapping or a mount point */
    refusal_done(&refusal);
    if (r != 0)
        return r < 0 ? r : 0;
    return block_identity(s->device, &s->identity);
}

/* Whether it is a new candidate; another mount point is one too many. */
static bool take_path(Search *s, const char *path) {
    if (!s->found.path || streq(s->found.path, path)) {
        s->found.path = path;
        return true;
    }
    s->other = path;
    return false;
}

static void search_mounts(Search *s, const char *name) {
    for (size_t i = 0; i < s->facts->n_mounts; i++) {
        const Mount *m = &s->facts->mounts[i];

        if (is_mount_meant(s, m, name) && take_path(s, m->target))
            s->found.mount = m;
    }
}

static void search_records(Search *s, const Plan *records, size_t n, const char *name) {
    for (size_t i = 0; i < n; i++)
        if (records[i].request.mount_point && is_record_meant(s, &records[i], name) &&
            take_path(s, records[i].request.mount_point))
            s->found.record = &records[i];
}

/* Whether a line is for what the name means, or lies on that. */
static bool is_line_of_device(const Search *s, const TabEntry *e) {
    for (size_t i = 0; s->device && i < s->facts->n_blocks; i++) {
        const Block *b = &s->facts->blocks[i];

        if ((b == s->device || block_lies_on(s->facts, b, s->device)) &&
            block_is_source(b, e->source))
            return true;
    }
    return false;
}

static void search_lines(Search *s, const char *name) {
    for (size_t i = 0; i < s->facts->n_fstab; i++) {
        const TabEntry *e = &s->facts->fstab[i];

        if (e->ours && (streq(e->target, name) || is_line_of_device(s, e)))
            (void)take_path(s, e->target);
    }
    for (size_t i = 0; i < s->facts->n_crypttab; i++)
        if (s->facts->crypttab[i].ours && is_name(s->facts->crypttab[i].target, last_part(s->name)))
            s->found.mapping = s->facts->crypttab[i].target;
}

/* Of several records for the mount point, left by requests that were given up, the one of what is
 * mounted. */
static const Plan *choose_record(const Search *s, const Plan *records, size_t n) {
    const FoundVolume *v = &s->found;
    const Plan *any = v->record;

    for (size_t i = 0; i < n; i++) {
        if (!streq_ptr(records[i].request.mount_point, v->path))
            continue;
        if (v->top && records[i].fs_uuid && block_find_signature(v->top, NULL, records[i].fs_uuid))
            return &records[i];
        any = any ?: &records[i];
    }
    return any;
}

/* The rest of what belongs to the mount point. */
static void complete(Search *s, const Plan *records, size_t n) {
    FoundVolume *v = &s->found;

    v->device = s->device;
    if (!v->path)
        return;
    if (!v->mount)
        v->mount = facts_find_mounted(s->facts, v->path);
    if (v->mount)
        v->top = facts_find(s->facts, v->mount->block);
    v->record = choose_record(s, records, n);
    for (size_t i = 0; i < s->facts->n_blocks && !v->mount && !v->top && v->record; i++)
        if (v->record->fs_uuid &&
            block_find_signature(&s->facts->blocks[i], NULL, v->record->fs_uuid))
            v->top = &s->facts->blocks[i];
}

static int check_found(const Search *s, const char *name, Refusal *ret) {
    const FoundVolume *v = &s->found;

    if (!v->path && !s->device && !v->mapping)
        return refuse(ret, "missing",
                      "there is no volume %s. Name its mount point, or a device as `dcm-volume "
                      "disks` does",
                      name);
    if (s->other)
        return refuse(ret, "ambiguous", "%s may be the volume at %s or at %s: name the mount point",
                      name, v->path, s->other);
    return 0;
}

static int check_volume(const Search *s, Refusal *ret) {
    const FoundVolume *v = &s->found;

    if (v->mount && !v->top)
        return refuse(ret, "kind", "what is mounted at %s (%s, %s) is not a disk volume", v->path,
                      v->mount->source, v->mount->fs_type);
    if ((v->top && is_root_disk(s->facts, v->top)) ||
        (v->device && is_root_disk(s->facts, v->device)))
        return refuse(ret, "root-disk",
                      "%s is on the disk that this system runs from: it is not "
                      "touched",
                      v->path ?: v->device->name);
    if (v->mount && v->record && v->record->fs_uuid &&
        !block_find_signature(v->top, NULL, v->record->fs_uuid))
        return refuse(ret, "ambiguous",
                      "%s is mounted at %s, but the volume of that mount point was another one "
                      "(UUID %s): unmount it as you mounted it, then repeat this",
                      v->top->name, v->path, v->record->fs_uuid);
    return 0;
}

bool record_is_same(const Plan *a, const Plan *b) {
    return streq_ptr(a->request.mount_point, b->request.mount_point) &&
           (uuid_is(a->fs_uuid, b->fs_uuid) || uuid_is(a->luks_uuid, b->luks_uuid) ||
            uuid_is(a->array_uuid, b->array_uuid));
}

int find_volume(const Facts *f, const char *name, const Plan *records, size_t n_records,
                FoundVolume *ret, Refusal *ret_refusal) {
    _cleanup_(search_done) Search s = {.facts = f, .name = text_after(name, "/dev/") ?: name};

    if (isempty(s.name))
        return check_found(&s, name, ret_refusal);
    TRY(find_device(&s));
    search_mounts(&s, name);
    search_records(&s, records, n_records, name);
    search_lines(&s, name);
    TRY_PLAN(check_found(&s, name, ret_refusal));
    complete(&s, records, n_records);
    TRY_PLAN(check_volume(&s, ret_refusal));
    *ret = s.found;
    return 0;
}
