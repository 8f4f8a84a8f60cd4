/* SPDX-License-Identifier: Apache-2.0 */
/* Proves with volumes that are asked for again and again, each time in another way, with cuts and
 * reboots between the steps, that after each request fstab, crypttab and the sealed key are what
 * the last request wants, that unmounting leaves nothing of ours whatever name it is given and
 * wherever it was cut, also if somebody has removed the records, and that nobody else's lines and
 * keys change.
 *
 * DCM_VOLUME_MACHINES: how many volumes, 20,000 if not set; DCM_VOLUME_SEED: of the first. */
#include "volume-model-steps.h"
#include "volume-model-test.h"
#include "volume/find-volume.h"
#include "volume/lines.h"
#include "volume/plan-remove.h"

#define MACHINES 20000
#define TURNS 6
#define ROUNDS_MAX 40 /* of planning, for one request */

typedef struct Run {
    Model m;
    Plan records[TURNS * 2];
    size_t n_records;
    VolumeRequest q;   /* the last one */
    char *mapping;     /* of the volume; NULL: none */
    bool is_forgotten; /* somebody has removed the records */
    uint64_t seed;
} Run;

static void report(const Run *r, const char *what, const char *more) {
    model_tell(&r->m, &r->q, r->seed);
    for (size_t i = 0; i < r->n_records; i++)
        model_tell_plan("record", &r->records[i]);
    g_error("%s: %s", what, strempty(more));
}

/* ---- records ---- */

static void drop_record(Run *r, size_t i) {
    plan_done(&r->records[i]);
    r->records[i] = r->records[--r->n_records];
}

static void keep_record(void *userdata, const Plan *p) {
    Run *r = userdata;

    for (size_t i = 0; i < r->n_records; i++)
        if (streq(r->records[i].id, p->id))
            drop_record(r, i--);
    g_assert_cmpuint(r->n_records, <, G_N_ELEMENTS(r->records));
    g_assert_cmpint(fields_copy(&plan_table, p, &r->records[r->n_records]), ==, 0);
    r->n_records++;
}

static void forget(Run *r, const Plan *removed) {
    for (size_t i = 0; i < r->n_records; i++)
        if (streq(r->records[i].id, removed->id) || record_is_same(&r->records[i], removed) ||
            (!removed->fs_uuid && !removed->luks_uuid &&
             streq_ptr(r->records[i].request.mount_point, removed->request.mount_point)))
            drop_record(r, i--);
}

/* ---- machines ---- */

static void make_machine(Run *r) {
    static const char *const programs[] = {"cryptsetup", "mkfs.ext4", "systemd-creds"};
    Model *m = &r->m;
    Facts *f = &m->facts;
    Block *b;

    *m = (Model){.random = (r->seed * 0x9e3779b97f4a7c15ULL) | 1};
    model_add_root(m);
    for (unsigned i = 0; i < 2; i++) {
        b = model_add_block(m, BLOCK_DISK, i ? "vdc" : "vdb", 1000 * MODEL_MIB);
        b->serial = g_strdup(i ? "id1" : "id0");
        block_add_link(b, i ? "disk/by-id/virtio-id1" : "disk/by-id/virtio-id0");
    }
    for (size_t i = 0; i < G_N_ELEMENTS(programs); i++)
        add_text(&f->programs, programs[i]);
    f->place = g_strdup("/data");
    f->place_type = PLACE_EMPTY;
    /* of others, and of another volume of ours */
    model_add_line(&f->fstab, &f->n_fstab, "UUID=1-1", "/", "ext4", false);
    model_add_line(&f->fstab, &f->n_fstab, "UUID=7-7", "/backup", "xfs", true);
    model_add_line(&f->crypttab, &f->n_crypttab, "UUID=8-8", "esvdx", NULL, true);
    model_add_line(&f->crypttab, &f->n_crypttab, "UUID=9-9", "vault", NULL, false);
    add_text(&f->sealed, "esvdx");
}

static bool is_of_others(const TabEntry *e) {
    return streq(e->target, "/") || streq(e->target, "/backup") || streq(e->target, "esvdx") ||
           streq(e->target, "vault");
}

static void check_others(const Run *r) {
    const Facts *f = &r->m.facts;
    unsigned n = 0;

    for (size_t i = 0; i < f->n_fstab; i++)
        n += is_of_others(&f->fstab[i]);
    for (size_t i = 0; i < f->n_crypttab; i++)
        n += is_of_others(&f->crypttab[i]);
    if (n != 4)
        report(r, "a line of somebody else is gone", NULL);
    if (!g_strv_contains((const char *const *)f->sealed, "esvdx"))
        report(r, "a key of another volume is gone", NULL);
}

static void make_request(Run *r, bool is_first) {
    Model *m = &r->m;
    const bool encrypted = is_first ? chance(m, 70) : r->q.encrypted;

    volume_request_done(&r->q);
    r->q = (VolumeRequest){.format = is_first || chance(m, 20),
                           .fs_type = g_strdup("ext4"),
                           .raid_level = -1,
                           .encrypted = encrypted,
                           .mount_point = g_strdup("/data"),
                           .options = chance(m, 40) ? g_strdup("noatime") : NULL,
                           .persistent = chance(m, 75)};
    r->q.unlock_at_boot = encrypted && r->q.persistent && chance(m, 50);
    add_text(&r->q.devices, chance(m, 50) ? "vdb" : "/dev/disk/by-id/virtio-id0");
}

/* ---- what must hold ---- */

static const TabEntry *find_line(const TabEntry *lines, size_t n, const char *target) {
    for (size_t i = 0; target && i < n; i++)
        if (streq(lines[i].target, target))
            return &lines[i];
    return NULL;
}

static bool is_sealed(const Run *r) {
    return r->mapping && g_strv_contains((const char *const *)r->m.facts.sealed, r->mapping);
}

static void check_line(const Run *r, const TabEntry *e, const char *options, const char *what) {
    if ((e != NULL) != r->q.persistent)
        report(r, what, e ? "is there" : "is not there");
    if (e && !streq_ptr(e->options, options))
        report(r, what, e->options);
}

static void check_mounted(const Run *r) {
    const Facts *f = &r->m.facts;
    g_autofree char *options = NULL;

    g_assert_cmpint(lines_fstab_options(&r->q, r->q.encrypted && !r->q.unlock_at_boot, &options),
                    ==, 0);
    if (f->place_type != PLACE_MOUNT_POINT)
        report(r, "not mounted", NULL);
    check_line(r, find_line(f->fstab, f->n_fstab, "/data"), options, "the line in fstab");
    if (r->q.encrypted)
        check_line(r, find_line(f->crypttab, f->n_crypttab, r->mapping),
                   lines_crypttab_options(r->q.unlock_at_boot), "the line in crypttab");
    if (is_sealed(r) != r->q.unlock_at_boot)
        report(r, "the sealed key", r->q.unlock_at_boot ? "is not there" : "is there");
    check_others(r);
}

/* Of a closed device that was named without a record, the line in fstab may be anybody's. */
static void check_removed(const Run *r, bool may_have_fstab) {
    const Facts *f = &r->m.facts;

    if (f->place_type == PLACE_MOUNT_POINT)
        report(r, "still mounted", NULL);
    for (size_t i = 0; i < f->n_blocks; i++)
        if (f->blocks[i].type == BLOCK_CRYPT)
            report(r, "still open", f->blocks[i].dm_name);
    if (find_line(f->fstab, f->n_fstab, "/data") && !may_have_fstab)
        report(r, "a line is left in fstab", NULL);
    if (find_line(f->crypttab, f->n_crypttab, r->mapping))
        report(r, "a line is left in crypttab", NULL);
    if (is_sealed(r))
        report(r, "the sealed key is left", NULL);
    check_others(r);
}

/* ---- turns ---- */

/* Returns whether it was cut. */
static bool run_steps(Run *r, Plan *p, bool is_recorded, bool may_cut) {
    const bool is_cut = model_run(&r->m, p, may_cut ? 20 : 0, is_recorded ? keep_record : NULL, r);

    if (r->m.complaint)
        report(r, r->m.complaint, NULL);
    return is_cut;
}

static void note_mapping(Run *r, const Plan *p) {
    if (!p->mapping)
        return;
    g_free(r->mapping);
    r->mapping = g_strdup(p->mapping);
}

static bool mount_once(Run *r, bool may_cut) {
    Refusal refusal = {};
    bool is_cut, is_end;
    Plan p;

    if (plan_mount(&r->m.facts, &r->q, r->records, r->n_records, model_uuid, &r->m, &p, &refusal) !=
        0)
        report(r, "not planned", refusal.text);
    note_mapping(r, &p);
    is_cut = run_steps(r, &p, true, may_cut);
    if (is_cut && chance(&r->m, 40))
        model_reboot(&r->m, &p);
    is_end = !is_cut && !p.more;
    plan_done(&p);
    return is_end;
}

static void mount_volume(Run *r) {
    unsigned n = 0;

    while (!mount_once(r, n < 6))
        if (++n > ROUNDS_MAX)
            report(r, "never ends", NULL);
    check_mounted(r);
}

/* A volume without a record gets one for the time of its removal. */
static void remember(Run *r, Plan *p) {
    if (*p->id || !p->request.mount_point || p->n_steps == 0)
        return;
    for (char **d = p->disks; d && *d; d++)
        add_text(&p->request.devices, *d);
    volume_request_id(&p->request, p->id);
    keep_record(r, p);
}

static bool remove_once(Run *r, const char *name, bool may_cut) {
    Refusal refusal = {};
    bool is_cut;
    Plan p;

    if (plan_remove(&r->m.facts, name, r->records, r->n_records, &p, &refusal) != 0) {
        /* all was done, and the cut came behind the record */
        if (streq_ptr(refusal.code, "missing") && r->n_records == 0) {
            refusal_done(&refusal);
            return true;
        }
        report(r, name, refusal.text);
    }
    remember(r, &p);
    is_cut = run_steps(r, &p, false, may_cut);
    if (is_cut && chance(&r->m, 40) && p.request.mount_point)
        model_reboot(&r->m, &p);
    if (!is_cut)
        forget(r, &p);
    plan_done(&p);
    return !is_cut;
}

static void remove_volume(Run *r) {
    static const char *const names[] = {"/data", "vdb", "/dev/disk/by-id/virtio-id0"};
    const char *name = r->mapping && chance(&r->m, 25) ? r->mapping : names[below(&r->m, 3)];
    bool is_open = r->m.facts.place_type == PLACE_MOUNT_POINT;
    unsigned n = 0;

    if (r->is_forgotten)
        while (r->n_records > 0)
            drop_record(r, 0);
    while (!remove_once(r, name, n < 6))
        if (++n > ROUNDS_MAX)
            report(r, "never ends", name);
    /* by the mount point alone, without a record, nobody can tell what was in a closed device */
    if (r->is_forgotten && !is_open && r->mapping)
        (void)remove_once(r, streq(name, "/data") ? "vdb" : "/data", false);
    check_removed(r, r->is_forgotten && !is_open);
    (void)remove_once(r, "vdb", false); /* and again */
    check_removed(r, r->is_forgotten && !is_open);
}

static void run_machine(uint64_t seed) {
    Run r = {.seed = seed};
    unsigned n;

    make_machine(&r);
    n = 1 + below(&r.m, TURNS);
    for (unsigned i = 0; i < n; i++) {
        make_request(&r, i == 0);
        if (i > 0 && r.q.format) { /* only the first one has made it */
            r.q.format = false;
        }
        mount_volume(&r);
        if (chance(&r.m, 20))
            mount_volume(&r);
    }
    r.is_forgotten = chance(&r.m, 25);
    if (chance(&r.m, 30)) {
        Plan p = {.request.mount_point = (char *)"/data", .mapping = r.mapping};

        model_reboot(&r.m, &p);
    }
    remove_volume(&r);
    while (r.n_records > 0)
        drop_record(&r, 0);
    volume_request_done(&r.q);
    g_free(r.mapping);
    model_done(&r.m);
}

static void test_machines(void) {
    (void)model_each_seed(MACHINES, run_machine);
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/volume-turns/machines", test_machines);
    return g_test_run();
}
