/* SPDX-License-Identifier: Apache-2.0 */
/* What dcm-volume reads as JSON: a request, a record, facts. Whatever is accepted is within the
 * bounds, is the same after it was written and read again, and can be planned with; a plan for a
 * machine that nobody could have writes to no device that is used. */
#include "basic/bounds.h"
#include "fuzz.h"
#include "volume/plan-grow.h"
#include "volume/plan-mount.h"
#include "volume/plan-remove.h"

/* Writes it, reads that, and writes it again. */
static void check_same(const FieldTable *t, const void *object, void *again) {
    _cleanup_json_ struct json_object *first = NULL, *second = NULL;

    CHECK(fields_to_json(t, object, &first) == 0);
    CHECK(fields_from_json(t, first, again) == 0);
    CHECK(fields_to_json(t, again, &second) == 0);
    CHECK(json_object_equal(first, second));
    fields_done(t, again);
}

static void check_request(struct json_object *o) {
    _cleanup_free_ char *problem = NULL;
    char id[VOLUME_ID_SIZE], again[VOLUME_ID_SIZE];
    VolumeRequest q, copy;
    size_t n = 0;
    int r = volume_request_parse(o, "/data", true, &q, &problem);

    CHECK(r == 0 || r == -EINVAL);
    CHECK((r == 0) == (problem == NULL));
    if (r < 0)
        return;
    for (char **d = q.devices; d && *d; d++, n++)
        CHECK(**d && strlen(*d) <= VOLUME_NAME_MAX);
    CHECK(n <= VOLUME_DEVICES_MAX && (n <= 1 || q.raid_level >= 0));
    CHECK(*q.mount_point == '/' && !strstr(q.mount_point, "//") && !strstr(q.mount_point, "/../"));
    CHECK(q.persistent || !q.unlock_at_boot);
    check_same(&volume_request_table, &q, &copy);
    volume_request_id(&q, id);
    q.force = !q.force;
    volume_request_id(&q, again);
    CHECK(strcmp(id, again) == 0 && strlen(id) == VOLUME_ID_SIZE - 1);
    volume_request_done(&q);
}

static int make_uuid(void *userdata, char ret[static 37]) {
    (void)snprintf(ret, 37, "00000000-0000-0000-0000-%012u", ++*(unsigned *)userdata);
    return 0;
}

/* The block that has this path; NULL: it will be made. */
static const Block *find_path(const Facts *f, const char *path) {
    for (size_t i = 0; i < f->n_blocks; i++) {
        if (strcmp(f->blocks[i].name, path + strlen("/dev/")) == 0)
            return &f->blocks[i];
        for (char **l = f->blocks[i].links; l && *l; l++)
            if (strcmp(*l, path + strlen("/dev/")) == 0)
                return &f->blocks[i];
    }
    return NULL;
}

static void check_plan(const Facts *f, const Plan *p) {
    for (size_t i = 0; i < p->n_steps; i++) {
        const Step *s = &p->steps[i];

        if (s->type != STEP_WIPE && s->type != STEP_RAID_CREATE && s->type != STEP_LUKS_FORMAT &&
            s->type != STEP_FORMAT)
            continue;
        for (char **d = s->devices; d && *d; d++) {
            const Block *b = find_path(f, *d);

            CHECK(!b || s->state == STEP_DONE || (!b->is_root && !b->swap && !b->read_only));
        }
    }
}

/* On the machine of the input, by its first disks. */
static void plan_on(const Facts *f, const Plan *records, size_t n_records) {
    const VolumeRequest requests[] = {
        {.format = true, .fs_type = (char *)"ext4", .raid_level = -1, .encrypted = true},
        {.format = true, .fs_type = (char *)"xfs", .raid_level = 1, .force = true},
        {.format = false, .fs_type = (char *)"ext4", .raid_level = -1},
        {.format = false, .fs_type = (char *)"btrfs", .raid_level = 5, .degraded = true},
    };
    unsigned n = 0;

    for (size_t i = 0; i < ELEMENTSOF(requests) && f->place && *f->place == '/'; i++) {
        VolumeRequest q = requests[i];
        char *devices[4] = {};
        Refusal refusal;
        Plan p;
        int r;

        for (size_t j = 0; j < (q.raid_level < 0 ? 1 : 3) && j < f->n_blocks; j++)
            devices[j] = f->blocks[j].name;
        q.devices = devices;
        q.mount_point = f->place;
        r = plan_mount(f, &q, records, n_records, make_uuid, &n, &p, &refusal);
        CHECK(r == 0 || r == 1 || r == -EEXIST);
        CHECK((r == 1) == (refusal.text != NULL));
        if (r == 0)
            check_plan(f, &p);
        plan_done(&p);
        refusal_done(&refusal);
    }
}

static void plan_others(const Facts *f, const Plan *records, size_t n_records) {
    for (size_t i = 0; i < f->n_blocks; i++) {
        Refusal refusal;
        Plan p;

        CHECK(plan_remove(f, f->blocks[i].name, records, n_records, &p, &refusal) >= 0);
        plan_done(&p);
        refusal_done(&refusal);
        CHECK(plan_grow(f, f->blocks[i].name, true, records, n_records, &p, &refusal) >= 0);
        plan_done(&p);
        refusal_done(&refusal);
    }
}

/* The input is a request, a record or facts, or an object with facts and a record. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_json_ struct json_object *o = NULL;
    struct json_object *facts, *record;
    Plan plan = {}, copy;
    Facts f = {}, again;

    if (json_parse_small((const char *)data, size, &o) < 0)
        return 0;
    check_request(o);
    facts = json_get(o, "facts") ?: o;
    record = json_get(o, "record") ?: o;
    if (plan_from_json(record, &plan) == 0)
        check_same(&plan_table, &plan, &copy);
    if (facts_from_json(facts, &f) == 0) {
        check_same(&facts_table, &f, &again);
        plan_on(&f, &plan, 1);
        plan_others(&f, &plan, 1);
    }
    plan_done(&plan);
    facts_done(&f);
    return 0;
}
