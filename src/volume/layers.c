/* SPDX-License-Identifier: Apache-2.0 */
#include "volume/layers.h"

#include <stdio.h>

#include "volume/block.h"
#include "volume/check.h"
#include "volume/members.h"
#include "volume/refuse.h"

#define MEMBER "linux_raid_member"
#define LUKS "crypto_LUKS"

/* Of the array that the devices belong to. */
typedef struct Members {
    const char *uuid;
    const Block *array; /* NULL: there is none, not even one that is not started */
    bool is_active;
    unsigned n_wanted;     /* when it is whole */
    unsigned n_present;    /* those that are up to date */
    const Block *stale;    /* one that is not; NULL: none */
    const Block *left_out; /* it is newer than what the array runs with; NULL: none */
    bool is_dirty;
} Members;

static int refuse_content(Planner *p, const char *code, const Block *b, const char *wanted,
                          const char *remedy) {
    _cleanup_free_ char *name = NULL, *what = NULL;

    TRY(block_describe(b, &name));
    TRY(signatures_describe(b, &what));
    return refuse(p->refusal, code, "%s holds %s, not %s. %s", name,
                  isempty(what) ? "nothing that is known" : what, wanted, remedy);
}

/* The record says that this request has made it. */
static int refuse_gone(Planner *p, const Block *b, const char *wanted) {
    return refuse_content(p, "gone", b, wanted,
                          "This request made that here earlier; since then somebody has removed or "
                          "replaced it. To make it once more, say force = true");
}

static int check_readable(Planner *p, const Block *b) {
    return b->probe_error == 0
               ? 0
               : refuse(p->refusal, "unreadable", "what is on %s could not be read: %s", b->name,
                        strerror(b->probe_error));
}

/* That all are members of one array: which. */
static int find_uuid(Planner *p, Members *m) {
    const bool is_recorded = m->uuid != NULL;

    for (size_t i = 0; i < p->n_members; i++) {
        const Signature *s;

        TRY_PLAN(check_readable(p, p->members[i]));
        s = block_find_signature(p->members[i], MEMBER, NULL);
        if (is_recorded && (!s || !uuid_is(m->uuid, s->uuid)))
            return refuse_gone(p, p->members[i], "a member of its array");
        if (!s || !s->uuid)
            return refuse_content(p, "not-member", p->members[i], "a member of an array",
                                  "To make an array, say formatVolume = true");
        if (m->uuid && !uuid_is(m->uuid, s->uuid))
            return refuse(p->refusal, "not-member",
                          "%s belongs to the array with UUID %s, but %s to the one with UUID %s",
                          p->members[i]->name, s->uuid, p->members[0]->name, m->uuid);
        if (!m->uuid)
            m->uuid = s->uuid;
    }
    return 0;
}

static bool is_named(const Planner *p, const Block *b) {
    for (size_t i = 0; i < p->n_members; i++)
        if (p->members[i] == b || block_lies_on(p->facts, b, p->members[i]) ||
            block_lies_on(p->facts, p->members[i], b))
            return true;
    return false;
}

/* That the machine has no further member, which would be left out. */
static int check_others(Planner *p, const Members *m) {
    for (size_t i = 0; i < p->facts->n_blocks; i++) {
        const Block *b = &p->facts->blocks[i];

        if (block_find_signature(b, MEMBER, m->uuid) && !is_named(p, b))
            return refuse(p->refusal, "incomplete",
                          "%s is also a member of this array (UUID %s): name all its devices",
                          b->name, m->uuid);
    }
    return 0;
}

static int check_level(Planner *p, const Members *m) {
    const char *level = m->is_active ? m->array->array_level : p->members[0]->member_level;
    char wanted[16];

    if (isempty(level))
        return refuse(p->refusal, "unreadable",
                      "the RAID level of %s could not be read from its superblock",
                      p->members[0]->name);
    (void)snprintf(wanted, sizeof(wanted), "raid%d", p->request->raid_level);
    return streq(level, wanted) ? 0
                                : refuse(p->refusal, "level",
                                         "the array of %s (UUID %s) is %s, but the request says %s",
                                         p->members[0]->name, m->uuid, level, wanted);
}

/* Whether a member is as new as the newest. After a power cut the counters may differ by one. */
static bool is_fresh(const Block *b, uint64_t newest) {
    return b->member_events + 1 >= newest;
}

/* After a disk came back, udev may have started its old half alone. */
static void find_left_out(const Planner *p, Members *m) {
    uint64_t newest = 0;

    for (size_t i = 0; i < p->n_members; i++)
        if (list_has(p->members[i]->holders, m->array->name))
            newest = MAX(newest, p->members[i]->member_events);
    for (size_t i = 0; i < p->n_members; i++)
        if (!list_has(p->members[i]->holders, m->array->name) &&
            p->members[i]->member_events > newest + 1)
            m->left_out = p->members[i];
}

static void count_members(const Planner *p, Members *m) {
    uint64_t newest = 0;

    for (size_t i = 0; i < p->n_members; i++)
        newest = MAX(newest, p->members[i]->member_events);
    for (size_t i = 0; i < p->n_members; i++) {
        const Block *b = p->members[i];

        m->n_wanted = MAX(m->n_wanted, b->member_disks);
        m->is_dirty = m->is_dirty || b->member_dirty;
        if (is_fresh(b, newest))
            m->n_present++;
        else
            m->stale = b;
    }
    if (m->is_active)
        find_left_out(p, m);
    if (m->is_active && m->array->array_disks > 0) {
        m->n_wanted = m->array->array_disks;
        m->n_present = m->n_wanted - MIN(m->array->array_missing, m->n_wanted);
    }
}

/* How many disks an array of this level can do without. Of RAID10 the number depends on which are
 * missing; mdadm(8) decides. */
static unsigned redundancy(int level, unsigned n) {
    switch (level) {
    case 1:
        return n - MIN(n, 1U);
    case 4:
    case 5:
        return 1;
    case 6:
        return 2;
    case 10:
        return n / 2;
    default:
        return 0;
    }
}

static bool has_parity(int level) {
    return level == 4 || level == 5 || level == 6;
}

/* What lies on the array is mounted where it is wanted: nothing is started that does not run. */
static bool is_in_place(const Planner *p, const Block *array) {
    const Mount *m = facts_find_mounted(p->facts, p->request->mount_point);
    const Block *b = m ? facts_find(p->facts, m->block) : NULL;

    return b && (b == array || block_lies_on(p->facts, b, array));
}

static int refuse_degraded(Planner *p, const Members *m, const char *code, const char *remedy) {
    _cleanup_free_ char *absent = NULL;

    TRY(members_describe_absent(p, &absent));
    return refuse(p->refusal, code, "the array (UUID %s) has %u of its %u disks%s%s%s%s. %s",
                  m->uuid, m->n_present, m->n_wanted, m->stale ? "; " : "",
                  m->stale ? m->stale->name : "", m->stale ? " is out of date" : "", absent,
                  remedy);
}

static int note_degraded(Planner *p, const Members *m) {
    _cleanup_free_ char *absent = NULL;

    TRY(members_describe_absent(p, &absent));
    TRY(planner_note(p, "the array is degraded: it has %u of its %u disks%s", m->n_present,
                     m->n_wanted, absent));
    return m->stale ? planner_note(p, "%s is out of date; mdadm(8), --re-add, takes it back",
                                   m->stale->name)
                    : 0;
}

/* A name that is no disk of the array: it may be a slip of the pen. */
static int check_absent(Planner *p, const Members *m) {
    size_t n = 0;

    while (p->absent && p->absent[n])
        n++;
    return p->n_members + n <= m->n_wanted
               ? 0
               : refuse(p->refusal, "missing",
                        "there is no device %s, and the array (UUID %s) has %u disks, fewer than "
                        "the request names",
                        p->absent[0], m->uuid, m->n_wanted);
}

static int check_degraded(Planner *p, const Members *m) {
    const unsigned n_missing = m->n_wanted - MIN(m->n_present, m->n_wanted);

    if (n_missing == 0)
        return 0;
    if (n_missing > redundancy(p->request->raid_level, m->n_wanted))
        return refuse_degraded(p, m, "degraded", "That is too few to start it: attach the others");
    if (m->is_dirty && !m->is_active && has_parity(p->request->raid_level))
        return refuse_degraded(p, m, "dirty-degraded",
                               "It was not stopped cleanly either, so its data may be damaged. "
                               "Attach the others, or restore a backup; see mdadm(8), --force");
    if (!p->request->degraded && !(m->is_active && is_in_place(p, m->array)))
        return refuse_degraded(p, m, "degraded",
                               "Attach the others, or say degraded = true to use it without");
    return note_degraded(p, m);
}

static bool is_active(const Block *array) {
    return array && !streq_ptr(array->array_state, "inactive") &&
           !streq_ptr(array->array_state, "clear");
}

/* What the array is called, if it runs. */
static int take_array_name(Planner *p, const Members *m) {
    if (planner_has(p, STEP_RAID_CREATE) && p->earlier->array_name)
        return free_and_strdup(&p->plan->array_name, p->earlier->array_name);
    for (char *const *l = m->is_active ? m->array->links : NULL; l && *l; l++)
        if (text_after(*l, "md/"))
            return free_and_strdup(&p->plan->array_name, text_after(*l, "md/"));
    return planner_name_array(p);
}

static int add_assemble(Planner *p, Members *m) {
    _cleanup_free_ char *path = NULL;
    Step *s;

    TRY(free_and_strdup(&p->plan->array_uuid, m->uuid));
    m->uuid = p->plan->array_uuid; /* it may have been just that, which is gone */
    TRY(take_array_name(p, m));
    if (m->is_active && p->request->format && !planner_has(p, STEP_RAID_ASSEMBLE))
        return 0;
    TRY(planner_add(p, STEP_RAID_ASSEMBLE, m->is_active ? STEP_DONE : STEP_PENDING, &s));
    for (size_t i = 0; i < p->n_members; i++)
        TRY(step_add_block(s, p->members[i]));
    TRY(planner_array_path(p, &path));
    return step_set(s, path, m->uuid);
}

static int check_members_unused(Planner *p, const Members *m) {
    for (size_t i = 0; i < p->n_members && !m->is_active; i++)
        TRY_PLAN(check_unused(p->facts, p->members[i], m->uuid, p->refusal));
    return 0;
}

int plan_existing_array(Planner *p, const char *uuid) {
    Members m = {.uuid = uuid};

    TRY_PLAN(find_uuid(p, &m));
    m.array = facts_find_array(p->facts, m.uuid);
    m.is_active = is_active(m.array);
    TRY_PLAN(check_others(p, &m));
    TRY_PLAN(check_level(p, &m));
    count_members(p, &m);
    if (p->absent)
        TRY_PLAN(check_absent(p, &m));
    if (m.left_out)
        return refuse(
            p->refusal, "old-half",
            "the array %s (UUID %s) runs without %s, which has newer data: it was started "
            "with a disk that had been away. Stop it (mdadm --stop /dev/%s), then repeat "
            "this",
            m.array->name, m.uuid, m.left_out->name, m.array->name);
    TRY_PLAN(check_degraded(p, &m));
    TRY_PLAN(check_members_unused(p, &m));
    TRY(add_assemble(p, &m));
    p->raw = m.is_active ? m.array : NULL;
    p->plan->more = !m.is_active;
    return 0;
}

/* Two devices with one UUID, such as a disk and its snapshot: a line by UUID would name either. */
static int check_unique(Planner *p, const Block *b, const char *uuid) {
    for (size_t i = 0; i < p->facts->n_blocks; i++) {
        const Block *other = &p->facts->blocks[i];

        if (other == b || !block_find_signature(other, NULL, uuid) ||
            block_shares_btrfs(b, other) || block_lies_on(p->facts, b, other) ||
            block_lies_on(p->facts, other, b))
            continue;
        return refuse(p->refusal, "ambiguous",
                      "%s and %s have the same UUID %s: is one a copy of the other? Detach one, or "
                      "give one another UUID",
                      b->name, other->name, uuid);
    }
    return 0;
}

/* The line that somebody has for it, or the name under which it is open, or a new one. */
static int take_mapping_name(Planner *p, const Block *mapping) {
    if (mapping && mapping->dm_name)
        return free_and_strdup(&p->plan->mapping, mapping->dm_name);
    for (size_t i = 0; i < p->facts->n_crypttab; i++)
        if (block_is_source(p->raw, p->facts->crypttab[i].source))
            return free_and_strdup(&p->plan->mapping, p->facts->crypttab[i].target);
    return planner_name_mapping(p);
}

static int add_open(Planner *p, const Block *mapping) {
    _cleanup_free_ char *path = NULL;
    Step *s;

    TRY(take_mapping_name(p, mapping));
    TRY(planner_mapping_path(p, &path));
    TRY(planner_add(p, STEP_LUKS_OPEN, mapping ? STEP_DONE : STEP_PENDING, &s));
    TRY(step_add_block(s, p->raw));
    return step_set(s, path, p->plan->luks_uuid);
}

/* Exactly this one thing is on it. */
static const Signature *only_signature(const Block *b) {
    return b->n_signatures == 1 ? &b->signatures[0] : NULL;
}

static int check_luks(Planner *p, const Signature *s, const char *uuid) {
    if (uuid && (!s || !streq(s->type, LUKS) || !uuid_is(s->uuid, uuid)))
        return refuse_gone(p, p->raw, "its LUKS device");
    if (!s || !streq(s->type, LUKS) || !s->uuid)
        return refuse_content(p, "not-encrypted", p->raw, "LUKS",
                              "The request has a key: leave it out if the volume is not encrypted");
    return check_unique(p, p->raw, s->uuid);
}

int plan_existing_luks(Planner *p, const char *uuid) {
    const Signature *s = only_signature(p->raw);
    const Block *mapping = s ? facts_find_mapping(p->facts, s->uuid) : NULL;

    TRY_PLAN(check_readable(p, p->raw));
    if (!p->request->encrypted && !block_find_signature(p->raw, LUKS, NULL)) {
        p->top = p->raw;
        return 0;
    }
    if (!p->request->encrypted && !mapping)
        return refuse_content(p, "encrypted", p->raw, "a file system",
                              "It is encrypted: the request needs encryptedFsEncryptionKey");
    TRY_PLAN(check_luks(p, s, uuid));
    assert(s); /* check_luks() refuses a device without a signature */
    if (!mapping)
        TRY_PLAN(check_unused(p->facts, p->raw, NULL, p->refusal));
    TRY(free_and_strdup(&p->plan->luks_uuid, s->uuid));
    TRY(add_open(p, mapping));
    p->top = mapping;
    p->plan->more = !mapping;
    return 0;
}

static int check_type(Planner *p, const Signature *s, const char *uuid) {
    const char *wanted = p->request->fs_type;

    if (uuid && (!s || !streq(s->type, wanted) || !uuid_is(s->uuid, uuid)))
        return refuse_gone(p, p->top, "its file system");
    if (block_find_signature(p->top, MEMBER, NULL))
        return refuse_content(p, "raid-member", p->top, wanted,
                              "It belongs to an array: name its level and all its devices");
    if (!s || !streq(s->type, wanted))
        return refuse_content(p, "file-system", p->top, wanted,
                              "Name what is there, or say formatVolume = true to make a new one");
    return s->uuid ? 0 : refuse_content(p, "file-system", p->top, "a UUID", "It needs one");
}

/* Not used by anything but a mount where it is wanted. */
static int check_free(Planner *p) {
    const Mount *elsewhere;

    if (facts_find_mount(p->facts, p->top, p->request->mount_point))
        return 0;
    elsewhere = facts_find_mount(p->facts, p->top, NULL);
    if (elsewhere)
        return refuse(p->refusal, "mounted-elsewhere",
                      "%s is mounted at %s. Unmount it there first, or name that mount point",
                      p->top->name, elsewhere->target);
    if (p->top->read_only && !mount_options_have(p->request->options, "ro"))
        return refuse(p->refusal, "read-only",
                      "%s is read-only: attach it so that it can be written, or add the option ro",
                      p->top->name);
    return check_unused(p->facts, p->top, NULL, p->refusal);
}

int plan_existing_file_system(Planner *p, const char *uuid) {
    const Signature *s = only_signature(p->top);

    TRY_PLAN(check_readable(p, p->top));
    TRY_PLAN(check_type(p, s, uuid));
    assert(s); /* check_type() refuses a device without a signature */
    TRY_PLAN(check_unique(p, p->top, s->uuid));
    TRY_PLAN(check_free(p));
    return free_and_strdup(&p->plan->fs_uuid, s->uuid);
}
