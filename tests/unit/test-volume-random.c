/* SPDX-License-Identifier: Apache-2.0 */
/* Proves on random machines and requests, with cuts, reboots and other people at random moments:
 *
 * - No plan writes to a device of which any fact says that it is used, that the system runs from
 *   it, that it is read-only, that it holds what neither this request made nor `force` gives up, or
 *   that the request did not name. The rules are written here once more, in another way: what is
 *   used is marked first, on the whole machine, then compared with the plan.
 * - A request that was cut any number of times and is repeated becomes complete, unless somebody
 *   else came between, and once complete it changes nothing.
 * - Nothing changes on any other device.
 *
 * DCM_VOLUME_MACHINES: how many machines, 50,000 if not set; DCM_VOLUME_SEED: of the first. */
#include "volume-model-random.h"
#include "volume-model-steps.h"
#include "volume-model-test.h"

#define MACHINES 50000
#define CUTS_MAX 6
#define ROUNDS_MAX 24 /* of planning, for one request */

typedef struct Run {
    Model m;
    VolumeRequest q;
    Plan record;       /* no steps: there is none */
    bool is_disturbed; /* somebody else wrote to a device, or used it */
    uint64_t seed;
} Run;

typedef struct Totals {
    unsigned planned, refused, completed, cut, disturbed, pulled, writes;
} Totals;

static Totals totals;

static void report(const Run *r, const Plan *p, const char *what) {
    model_tell(&r->m, &r->q, r->seed);
    model_tell_plan("plan", p);
    model_tell_plan("record", &r->record);
    g_error("%s", what);
}

/* ---- the rules, again ---- */

typedef struct Marks {
    bool forbidden[64]; /* of the block at this index */
    bool whole[64];     /* for another reason than that it is busy */
} Marks;

static size_t index_of(const Facts *f, const char *name) {
    for (size_t i = 0; name && i < f->n_blocks; i++)
        if (streq(f->blocks[i].name, name))
            return i;
    return SIZE_MAX;
}

static void mark(const Facts *f, Marks *m, const char *name) {
    const size_t i = index_of(f, name);

    if (i != SIZE_MAX)
        m->forbidden[i] = m->whole[i] = true;
}

static bool is_own_array(const Facts *f, const char *name, const char *own) {
    const size_t i = index_of(f, name);
    g_autofree char *id = own ? uuid_with(own, ":") : NULL;

    return i != SIZE_MAX && id && streq_ptr(f->blocks[i].array_uuid, id);
}

static bool has_busy_part(const Facts *f, size_t disk) {
    for (size_t i = 0; i < f->n_blocks; i++)
        if (index_of(f, f->blocks[i].parent) == disk && f->blocks[i].busy)
            return true;
    return false;
}

/* What a partition suffers, its disk suffers; what a disk suffers or holds as a whole, its
 * partitions. */
static void mark_relatives(const Facts *f, Marks *m) {
    const Marks direct = *m;

    for (size_t i = 0; i < f->n_blocks; i++) {
        const size_t disk = index_of(f, f->blocks[i].parent);

        if (disk == SIZE_MAX)
            continue;
        m->forbidden[disk] = m->forbidden[disk] || direct.forbidden[i];
        /* the kernel calls a disk busy as soon as one of its partitions is */
        m->forbidden[i] = m->forbidden[i] || m->whole[disk] ||
                          (direct.forbidden[disk] && !has_busy_part(f, disk));
        for (size_t j = 0; j < f->blocks[disk].n_signatures; j++)
            if (!streq(f->blocks[disk].signatures[j].usage, "partition-table"))
                m->forbidden[i] = true;
    }
}

/* Whatever is used, or must not be used. `own`: an array that may hold its members. */
static void mark_machine(const Facts *f, const char *own, Marks *m) {
    *m = (Marks){};
    for (size_t i = 0; i < f->n_mounts; i++)
        mark(f, m, f->mounts[i].block);
    for (size_t i = 0; i < f->n_blocks; i++) {
        const Block *b = &f->blocks[i];
        bool is_held = false, is_own = false;

        for (char **h = b->holders; h && *h; h++)
            *(is_own_array(f, *h, own) ? &is_own : &is_held) = true;
        for (char **s = b->slaves; s && *s; s++)
            if (!is_own_array(f, b->name, own))
                mark(f, m, *s);
        if (b->busy && !is_own)
            m->forbidden[i] = true;
        if (is_held || b->swap || b->is_root)
            m->forbidden[i] = m->whole[i] = true;
        if (!is_own_array(f, b->name, own) && /* that is stopped and made again */
            (b->read_only || b->size_bytes == 0 || b->probe_error != 0))
            m->forbidden[i] = m->whole[i] = true;
    }
    for (size_t i = 0; i < f->n_blocks; i++)
        if (is_own_array(f, f->blocks[i].name, own) && m->forbidden[i])
            for (char **s = f->blocks[i].slaves; s && *s; s++)
                mark(f, m, *s);
    mark_relatives(f, m);
}

static void mark_lines(const Facts *f, const TabEntry *lines, size_t n, const char *allowed,
                       Marks *m) {
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < f->n_blocks; j++) {
            const Block *b = &f->blocks[j];
            g_autofree char *path = g_strdup_printf("/dev/%s", b->name);
            bool is_named = streq(lines[i].source, path);

            for (size_t k = 0; k < b->n_signatures; k++)
                is_named = is_named || (g_str_has_prefix(lines[i].source, "UUID=") &&
                                        streq_ptr(lines[i].source + 5, b->signatures[k].uuid));
            for (char **l = b->links; l && *l; l++)
                is_named = is_named || streq(lines[i].source + MIN(strlen(lines[i].source), 5), *l);
            if (is_named && !(allowed && streq(lines[i].target, allowed)))
                m->forbidden[j] = true;
        }
}

static bool is_writing(const Step *s) {
    return s->type == STEP_WIPE || s->type == STEP_RAID_CREATE || s->type == STEP_LUKS_FORMAT ||
           s->type == STEP_FORMAT;
}

/* Whether the request names it, or it is the array or the mapping of this plan. */
static bool is_meant(const Run *r, const Plan *p, const Block *b) {
    for (char **d = r->q.devices; *d; d++) {
        const char *name = g_str_has_prefix(*d, "/dev/") ? *d + 5 : *d;

        const char *letters = g_str_has_prefix(name, "sd")    ? name + 2
                              : g_str_has_prefix(name, "xvd") ? name + 3
                                                              : NULL;

        if (streq(b->name, name))
            return true;
        if (letters && g_str_has_prefix(b->name, "xvd") && streq(b->name + 3, letters))
            return true;
        if (letters && b->wanted_name && streq(b->wanted_name + strlen("/dev/sd"), letters))
            return true;
        for (char **l = b->links; l && *l; l++)
            if (streq(*l, name))
                return true;
    }
    if (b->type == BLOCK_OTHER) /* a multipath device, for its path */
        for (char **s = b->slaves; s && *s; s++)
            if (is_meant(r, p, facts_find(&r->m.facts, *s)))
                return true;
    return (b->type == BLOCK_ARRAY && p->array_uuid) ||
           (b->type == BLOCK_CRYPT && streq_ptr(b->dm_name, p->mapping));
}

static StepState recorded(const Run *r, StepType type) {
    for (size_t i = 0; i < r->record.n_steps; i++)
        if (r->record.steps[i].type == type)
            return r->record.steps[i].state;
    for (size_t i = 0; i < r->record.n_later; i++)
        if (r->record.later[i].type == type)
            return r->record.later[i].state;
    return STEP_PENDING;
}

/* The array or the mapping that the record of this request says it has made: whatever shows there
 * without a signature was not written by anybody. */
static bool is_made(const Run *r, const Plan *p, const Block *b) {
    g_autofree char *luks = p->luks_uuid ? uuid_with(p->luks_uuid, "") : NULL;

    if (b->type == BLOCK_ARRAY)
        return recorded(r, STEP_RAID_CREATE) != STEP_PENDING &&
               is_own_array(&r->m.facts, b->name, p->array_uuid);
    return b->type == BLOCK_CRYPT && recorded(r, STEP_LUKS_FORMAT) == STEP_DONE && luks &&
           strstr(strempty(b->dm_uuid), luks);
}

/* The block will be empty, is empty, or has what the step itself left. */
static bool may_overwrite(const Run *r, const Plan *p, const Step *s, const Block *b,
                          bool is_wiped) {
    const Facts *f = &r->m.facts;

    if (is_wiped)
        return true;
    for (size_t i = 0; i < f->n_blocks; i++)
        if (streq_ptr(f->blocks[i].parent, b->name))
            return false;
    if (b->looks_random && b->n_signatures == 0 && !is_made(r, p, b))
        return false;
    for (size_t i = 0; i < b->n_signatures; i++)
        if (!streq_ptr(b->signatures[i].uuid, s->uuid) || recorded(r, s->type) != STEP_BEGUN ||
            !s->wipe_first)
            return false;
    return true;
}

static bool is_wiped_before(const Run *r, const Plan *p, const Step *s, const char *path) {
    for (const Step *w = p->steps; w < s; w++)
        if (w->type == STEP_WIPE && w->state != STEP_DONE &&
            g_strv_contains((const char *const *)w->devices, path))
            return true;
    return false;
}

/* The array is made again before this step: what is on it is of no use to anybody. */
static bool is_made_before(const Run *r, const Plan *p, const Step *s, const Block *b) {
    for (const Step *w = p->steps; w < s; w++)
        if (w->type == STEP_RAID_CREATE && w->state != STEP_DONE && b->type == BLOCK_ARRAY)
            return b->n_signatures == 0 || r->q.force;
    return false;
}

static bool is_random_given_up(const Run *r, const Block *b) {
    for (char **o = r->record.overwrites; o && *o; o++)
        if (g_str_has_prefix(*o, b->name) && strstr(*o, "random data"))
            return true;
    return false;
}

/* Without `force` now: what is there is what the record gave up. */
static bool is_given_up(const Run *r, const Block *b) {
    for (size_t i = 0; i < b->n_signatures; i++) {
        const Signature *sig = &b->signatures[i];
        bool is_there = false;

        for (char **o = r->record.overwrites; o && *o; o++)
            is_there = is_there || (g_str_has_prefix(*o, b->name) && strstr(*o, sig->type) &&
                                    (!sig->uuid || strstr(*o, sig->uuid)));
        if (!is_there)
            return false;
    }
    return b->n_signatures > 0 || !b->looks_random || is_random_given_up(r, b);
}

static void check_step(const Run *r, const Plan *p, const Step *s) {
    const Facts *f = &r->m.facts;
    const bool is_again = recorded(r, STEP_RAID_CREATE) == STEP_BEGUN;
    Marks marks;

    if (s->type == STEP_RAID_CREATE && g_strv_length(s->devices) != g_strv_length(r->q.devices))
        report(r, p, "makes an array of fewer disks than the request names");
    mark_machine(f, is_again ? p->array_uuid : NULL, &marks);
    mark_lines(f, f->fstab, f->n_fstab, r->q.mount_point, &marks);
    mark_lines(f, f->crypttab, f->n_crypttab, p->mapping, &marks);
    for (char **d = s->devices; *d; d++) {
        const Block *b = model_find_path(f, *d);

        if (!b)
            continue; /* it will be made */
        totals.writes++;
        if (marks.forbidden[index_of(f, b->name)])
            report(r, p, "writes to a device that is used");
        if (!is_meant(r, p, b))
            report(r, p, "writes to a device that was not named");
        if (s->type == STEP_WIPE
                ? !(r->q.force || is_given_up(r, b))
                : !may_overwrite(r, p, s, b,
                                 is_wiped_before(r, p, s, *d) || is_made_before(r, p, s, b)))
            report(r, p, "overwrites what somebody needs");
    }
}

static void check_plan(const Run *r, const Plan *p) {
    bool is_left = p->more;

    for (size_t i = 0; i < p->n_steps; i++) {
        const Step *s = &p->steps[i];

        is_left = is_left || s->state != STEP_DONE;
        if (!is_writing(s) || s->state == STEP_DONE)
            continue;
        if (!r->q.format)
            report(r, p, "writes although the request does not say so");
        check_step(r, p, s);
    }
    if (p->complete == is_left)
        report(r, p, "complete contradicts the steps");
}

/* ---- one request ---- */

static void add_device(Run *r, const Block *b) {
    const unsigned kind = below(&r->m, 4);
    g_autofree char *name = NULL;

    if (kind == 0 && b->links)
        name = g_strdup_printf("/dev/%s", b->links[0]);
    else if (kind == 1 && g_str_has_prefix(b->name, "xvd"))
        name = g_strdup_printf("/dev/sd%s", b->name + 3);
    else if (trouble(&r->m, 2))
        name = g_strdup("/dev/sdz"); /* there is none */
    else if (kind == 2 && b->wanted_name)
        name = g_strdup(b->wanted_name);
    else
        name = g_strdup_printf("%s%s", chance(&r->m, 50) ? "/dev/" : "", b->name);
    add_text(&r->q.devices, name);
}

static void make_request(Run *r) {
    static const char *const types[] = {"ext3", "ext4", "xfs", "btrfs"};
    static const int levels[] = {-1, -1, -1, 0, 1, 1, 4, 5, 6, 10};
    Model *m = &r->m;
    const Facts *f = &m->facts;
    /* usually not the root disk */
    const unsigned first = (chance(m, 90) ? 2 : 0) + below(m, (unsigned)f->n_blocks - 2);
    unsigned n;

    r->q = (VolumeRequest){.format = chance(m, 80),
                           .fs_type = g_strdup(types[below(m, 4)]),
                           .raid_level = levels[below(m, G_N_ELEMENTS(levels))],
                           .encrypted = chance(m, 40),
                           .mount_point = g_strdup("/data"),
                           .force = chance(m, 25),
                           .degraded = chance(m, 20),
                           .persistent = chance(m, 80)};
    r->q.unlock_at_boot = r->q.encrypted && r->q.persistent && chance(m, 30);
    n = r->q.raid_level < 0 ? 1 : r->q.raid_level < 2 ? 2 + below(m, 2) : 3 + below(m, 2);
    for (unsigned i = 0; i < n; i++)
        add_device(r, &f->blocks[(first + i) % f->n_blocks]);
}

/* Somebody else's array on one of our devices; by chance or ill will with the UUID of ours. */
static void add_array_on(Model *m, const char *path, const char *own) {
    g_autofree char *id = own && chance(m, 50) ? uuid_with(own, ":") : g_strdup("99:99:99:99");
    const char *name;
    Block *b;

    (void)model_add_block(m, BLOCK_ARRAY, "md9", 400 * MODEL_MIB);
    name = model_find_path(&m->facts, path)->name;
    b = facts_find(&m->facts, "md9");
    b->array_uuid = g_strdup(id);
    b->array_state = g_strdup("clean");
    if (chance(m, 30))
        model_sign_randomly(m, b);
    model_hold(m, name, "md9");
}

/* What somebody does to a device: uses it, protects it, or writes to it. */
static void disturb_block(Model *m, Block *b, const Plan *p) {
    g_autofree char *name = g_strdup(b->name);

    switch (below(m, 10)) {
    case 0:
        model_mount(m, name, "/elsewhere", "ext4");
        break;
    case 1:
        b->swap = true;
        break;
    case 2:
        b->read_only = true;
        break;
    case 3:
        b->busy = true;
        break;
    case 4: /* a copy of what this request makes */
        if (p->fs_uuid)
            block_sign(b, p->fs_type, "filesystem", p->fs_uuid);
        break;
    case 5:
        if (b->type == BLOCK_DISK)
            model_add_partitions(m, name);
        break;
    case 6: /* encrypts it without a header */
        b->looks_random = true;
        break;
    default:
        model_sign_randomly(m, b);
        break;
    }
}

/* A disk is gone; an array that has it goes on without. */
static void pull_disk(Model *m, const char *disk) {
    g_autofree char *name = g_strdup(disk);
    Facts *f = &m->facts;

    for (char **h = facts_find(f, name)->holders; h && *h; h++)
        if (facts_find(f, *h)->type != BLOCK_ARRAY)
            return; /* what lies on it would have to go, too */
    for (size_t i = 0; i < f->n_blocks; i++)
        if (streq_ptr(f->blocks[i].parent, name))
            return;
    for (size_t i = 0; i < f->n_mounts; i++)
        if (streq_ptr(f->mounts[i].block, name))
            return;
    for (size_t i = 0; i < f->n_blocks; i++)
        if (remove_text(f->blocks[i].slaves, name) && f->blocks[i].type == BLOCK_ARRAY)
            f->blocks[i].array_missing++;
    model_remove_block(m, name);
    totals.pulled++;
}

/* Somebody does something while the request is away; half of the time with our device. */
static void disturb(Run *r, const Plan *p) {
    Model *m = &r->m;
    const char *path = p->steps[0].devices[0];
    Block *b = chance(m, 50) ? model_find_path(&m->facts, path) : NULL;

    r->is_disturbed = true;
    totals.disturbed++;
    if (b && b->type == BLOCK_DISK && !b->is_root && chance(m, 25))
        pull_disk(m, b->name);
    else if (b && !b->busy && !facts_find(&m->facts, "md9") && chance(m, 20))
        add_array_on(m, path, p->array_uuid);
    else
        disturb_block(m, b ?: &m->facts.blocks[below(m, (unsigned)m->facts.n_blocks)], p);
}

static void keep_record(void *userdata, const Plan *p) {
    Run *r = userdata;

    plan_done(&r->record);
    g_assert_cmpint(fields_copy(&plan_table, p, &r->record), ==, 0);
}

/* What is on the blocks that the plan does not mean. */
static char *others_of(const Run *r, const Plan *p) {
    GString *s = g_string_new(NULL);

    for (size_t i = 0; i < r->m.facts.n_blocks; i++) {
        const Block *b = &r->m.facts.blocks[i];
        const Block *parent = facts_find(&r->m.facts, b->parent);

        if (is_meant(r, p, b) || (parent && is_meant(r, p, parent)))
            continue;
        g_string_append(s, b->name);
        for (size_t j = 0; j < b->n_signatures; j++)
            g_string_append_printf(s, " %s %s", b->signatures[j].type, b->signatures[j].uuid);
        g_string_append(s, b->busy ? " busy;" : ";");
    }
    return g_string_free(s, FALSE);
}

/* Sometimes one that is taken already. */
static int uuid_for_plan(void *userdata, char ret[static 37]) {
    Model *m = userdata;
    const Block *b = &m->facts.blocks[below(m, (unsigned)m->facts.n_blocks)];

    if (b->n_signatures == 0 || !b->signatures[0].uuid || !chance(m, 30))
        return model_uuid(m, ret);
    g_strlcpy(ret, b->signatures[0].uuid, 37);
    return 0;
}

static void check_new(const Run *r, const Plan *p, const char *uuid) {
    for (size_t i = 0; uuid && i < r->m.facts.n_blocks; i++)
        for (size_t j = 0; j < r->m.facts.blocks[i].n_signatures; j++)
            if (streq_ptr(r->m.facts.blocks[i].signatures[j].uuid, uuid))
                report(r, p, "a new UUID is not new");
}

/* Blocks that a name fits, as it is or by the name at attachment. */
static unsigned count_named(const Facts *f, const char *device) {
    const char *name = g_str_has_prefix(device, "/dev/") ? device + 5 : device;
    unsigned n = 0;

    for (size_t i = 0; i < f->n_blocks; i++) {
        const Block *b = &f->blocks[i];
        const char *wanted = b->wanted_name ? b->wanted_name + strlen("/dev/sd") : NULL;

        n += streq(b->name, name) ||
             (b->links && g_strv_contains((const char *const *)b->links, name)) ||
             (wanted && ((g_str_has_prefix(name, "sd") && streq(name + 2, wanted)) ||
                         (g_str_has_prefix(name, "xvd") && streq(name + 3, wanted))));
    }
    return n;
}

static void check_names(const Run *r, const Plan *p) {
    for (char **d = r->q.devices; *d; d++)
        if (count_named(&r->m.facts, *d) > 1)
            report(r, p, "a name fits two devices");
    if (r->record.n_steps > 0 || !r->q.format)
        return;
    check_new(r, p, p->array_uuid);
    check_new(r, p, p->luks_uuid);
    check_new(r, p, p->fs_uuid);
}

static int plan_now(Run *r, Plan *ret) {
    Refusal refusal;
    const int result = plan_mount(&r->m.facts, &r->q, &r->record, r->record.n_steps > 0,
                                  uuid_for_plan, &r->m, ret, &refusal);

    if (result == 1) {
        if (isempty(refusal.code) || isempty(refusal.text))
            report(r, ret, "a refusal without words");
        /* of what is there already, only what is open can be seen, and found wrong */
        if (r->record.n_steps > 0 && !r->is_disturbed && r->q.format)
            report(r, ret, refusal.text);
    } else if (result != 0)
        report(r, ret, g_strerror(-result));
    refusal_done(&refusal);
    if (result == 0) {
        check_names(r, ret);
        check_plan(r, ret);
    }
    return result;
}

/* Again, with the record: nothing to do, and with `force` neither. */
static void check_repeated(Run *r) {
    Plan p;

    r->q.force = chance(&r->m, 50);
    if (plan_now(r, &p) == 1)
        report(r, &p, "refused when it was complete");
    if (!p.complete)
        report(r, &p, "not complete when it was repeated");
    plan_done(&p);
}

/* One turn: a plan, and its steps. Returns whether the request is at its end. */
static bool take_turn(Run *r, bool may_cut) {
    g_autofree char *before = NULL, *after = NULL;
    bool is_cut, is_end;
    Plan p;

    if (plan_now(r, &p) == 1) {
        totals.refused++;
        return true;
    }
    totals.planned++;
    before = others_of(r, &p);
    is_cut = model_run(&r->m, &p, may_cut ? 25 : 0, keep_record, r);
    if (r->m.complaint)
        report(r, &p, r->m.complaint);
    after = others_of(r, &p);
    if (!streq(before, after))
        report(r, &p, "another device has changed");
    is_end = !is_cut && !p.more;
    if (is_cut) {
        totals.cut++;
        if (chance(&r->m, 50))
            model_reboot(&r->m, &p);
        if (chance(&r->m, 15))
            disturb(r, &p);
        r->q.force = r->q.force && chance(&r->m, 50); /* the same request all the same */
    }
    plan_done(&p);
    if (!is_end)
        return false;
    totals.completed++;
    if (!r->is_disturbed)
        check_repeated(r);
    return true;
}

static void run_machine(uint64_t seed) {
    Run r = {.seed = seed};
    unsigned n = 0;

    model_init(&r.m, seed * 0x9e3779b97f4a7c15ULL);
    make_request(&r);
    while (!take_turn(&r, n < CUTS_MAX))
        if (++n > ROUNDS_MAX) {
            Plan none = {};

            report(&r, &none, "never ends");
        }
    plan_done(&r.record);
    volume_request_done(&r.q);
    model_done(&r.m);
}

static void test_machines(void) {
    const uint64_t n = model_each_seed(MACHINES, run_machine);

    g_test_message("machines %" G_GUINT64_FORMAT
                   "; plans %u, cut %u, disturbed %u, disks pulled %u, completed %u, refused %u, "
                   "devices written %u",
                   n, totals.planned, totals.cut, totals.disturbed, totals.pulled, totals.completed,
                   totals.refused, totals.writes);
    if (n >= MACHINES) { /* the machines are not so bad that nothing is planned, nor so good */
        g_assert_cmpuint(totals.completed, >, n / 10);
        g_assert_cmpuint(totals.refused, >, n / 10);
        g_assert_cmpuint(totals.cut, >, n / 10);
        g_assert_cmpuint(totals.pulled, >, 0);
    }
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/volume-random/machines", test_machines);
    return g_test_run();
}
