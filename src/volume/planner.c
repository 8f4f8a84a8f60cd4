/* SPDX-License-Identifier: Apache-2.0 */
#include "volume/planner.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

#include "basic/strv.h"
#include "volume/block.h"
#include "volume/refuse.h"

#define UUID_TRIES 16
#define ARRAY_NAME_MAX 28   /* mdadm(8) takes 32; some are left for a number */
#define MAPPING_NAME_MAX 60 /* dmsetup(8) takes 127, systemd escapes some characters as four */
#define NUMBERS_MAX 1000    /* of names that differ by their number alone */

static const Step *find_type(const Step *steps, size_t n, StepType type) {
    for (size_t i = 0; i < n; i++)
        if (steps[i].type == type)
            return &steps[i];
    return NULL;
}

static const Step *find_step(const Plan *plan, StepType type) {
    return plan ? find_type(plan->steps, plan->n_steps, type)
                      ?: find_type(plan->later, plan->n_later, type)
                : NULL;
}

StepState planner_state_of(const Plan *record, StepType type) {
    const Step *s = find_step(record, type);

    return s ? s->state : STEP_PENDING;
}

StepState planner_state(const Planner *p, StepType type) {
    return planner_state_of(p->earlier, type);
}

bool planner_has(const Planner *p, StepType type) {
    return find_step(p->earlier, type) != NULL;
}

int planner_add(Planner *p, StepType type, StepState state, Step **ret) {
    Step *grown = reallocarray(p->plan->steps, p->plan->n_steps + 1, sizeof(*grown));

    if (!grown)
        return -ENOMEM;
    p->plan->steps = grown;
    *ret = &grown[p->plan->n_steps++];
    **ret = (Step){.type = type, .state = state};
    return 0;
}

static int keep_step(Plan *plan, const Step *s) {
    Step *grown;

    if (find_step(plan, s->type))
        return 0;
    grown = reallocarray(plan->later, plan->n_later + 1, sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    plan->later = grown;
    TRY(fields_copy(&step_table, s, &grown[plan->n_later]));
    plan->n_later++;
    return 0;
}

int planner_keep_later(Planner *p) {
    const Plan *e = p->earlier;

    for (size_t i = 0; e && i < e->n_steps; i++)
        TRY(keep_step(p->plan, &e->steps[i]));
    for (size_t i = 0; e && i < e->n_later; i++)
        TRY(keep_step(p->plan, &e->later[i]));
    return 0;
}

int step_add_path(Step *s, const char *path) {
    return text_add(&s->devices, "%s", path);
}

int step_add_block(Step *s, const Block *b) {
    _cleanup_free_ char *path = NULL;

    TRY(block_path(b, &path));
    return step_add_path(s, path);
}

int step_set(Step *s, const char *result, const char *uuid) {
    TRY(free_and_strdup(&s->result, result));
    return free_and_strdup(&s->uuid, uuid);
}

int planner_note(Planner *p, const char *format, ...) {
    _cleanup_free_ char *text = NULL;
    va_list list;
    int n;

    va_start(list, format);
    n = vasprintf(&text, format, list);
    va_end(list);
    if (n < 0) {
        text = NULL;
        return -ENOMEM;
    }
    return text_add(&p->plan->notes, "%s", text);
}

static bool is_used_uuid(const Facts *f, const char *uuid) {
    for (size_t i = 0; i < f->n_blocks; i++)
        if (uuid_is(f->blocks[i].array_uuid, uuid) ||
            block_find_signature(&f->blocks[i], NULL, uuid))
            return true;
    for (char *const *u = f->uuids; u && *u; u++)
        if (uuid_is(*u, uuid))
            return true;
    return false;
}

/* Those of this plan, too. */
static bool is_known_uuid(const Planner *p, const char *uuid) {
    return is_used_uuid(p->facts, uuid) || uuid_is(p->plan->array_uuid, uuid) ||
           uuid_is(p->plan->luks_uuid, uuid) || uuid_is(p->plan->fs_uuid, uuid);
}

int planner_new_uuid(Planner *p, char **ret) {
    char uuid[37];

    for (unsigned i = 0; i < UUID_TRIES; i++) {
        TRY(p->uuid(p->userdata, uuid));
        if (!is_known_uuid(p, uuid))
            return free_and_strdup(ret, uuid);
    }
    return -EEXIST;
}

static bool is_taken_array(const Planner *p, const char *name) {
    for (size_t i = 0; i < p->facts->n_blocks; i++) {
        const Block *b = &p->facts->blocks[i];

        for (char *const *l = b->links; l && *l; l++)
            if (text_is(*l, "md/", name) && !uuid_is(b->array_uuid, p->plan->array_uuid))
                return true;
    }
    for (size_t i = 0; i < p->n_records; i++)
        if (streq_ptr(p->records[i].array_name, name) &&
            !uuid_is(p->records[i].array_uuid, p->plan->array_uuid))
            return true;
    return false;
}

static bool is_taken_mapping(const Planner *p, const char *name) {
    const Block *own = facts_find_mapping(p->facts, p->plan->luks_uuid);

    for (size_t i = 0; i < p->facts->n_blocks; i++)
        if (streq_ptr(p->facts->blocks[i].dm_name, name) && &p->facts->blocks[i] != own)
            return true;
    for (size_t i = 0; i < p->facts->n_crypttab; i++) {
        const TabEntry *e = &p->facts->crypttab[i];

        if (streq(e->target, name) && !uuid_is(text_after(e->source, "UUID="), p->plan->luks_uuid))
            return true;
    }
    for (size_t i = 0; i < p->n_records; i++)
        if (streq_ptr(p->records[i].mapping, name) &&
            !uuid_is(p->records[i].luks_uuid, p->plan->luks_uuid))
            return true;
    return false;
}

/* Copies what a name may have, and at most `size_max` characters of it. */
static void clean_name(const char *text, char *ret, size_t size_max) {
    size_t n = 0;

    for (; *text && n < size_max; text++)
        ret[n++] = isalnum((unsigned char)*text) || strchr("._-", *text) ? *text : '_';
    ret[n] = 0;
}

static int find_free_name(const Planner *p, bool (*is_taken)(const Planner *p, const char *name),
                          const char *base, char **ret) {
    for (unsigned i = 1; i < NUMBERS_MAX; i++) {
        _cleanup_free_ char *name = NULL;

        TRY(i == 1 ? text_format(&name, "%s", base) : text_format(&name, "%s-%u", base, i));
        if (!is_taken(p, name)) {
            free(*ret);
            *ret = TAKE_PTR(name);
            return 0;
        }
    }
    return -EEXIST;
}

/* mdadm(8) takes a number, and md with a number, for the array's number. */
static bool is_number_of_array(const char *name) {
    const char *digits = text_after(name, "md") ?: name;

    return strspn(digits, "0123456789_pd") == strlen(digits);
}

static const char *last_part(const char *path) {
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

int planner_name_array(Planner *p) {
    char clean[ARRAY_NAME_MAX + 1], base[ARRAY_NAME_MAX + sizeof("volume-")];

    clean_name(last_part(p->request->mount_point), clean, ARRAY_NAME_MAX);
    (void)snprintf(base, sizeof(base), "%s%s",
                   is_number_of_array(clean) || strchr(".-", *clean) ? "v-" : "", clean);
    return find_free_name(p, is_taken_array, base, &p->plan->array_name);
}

/* As the old agent did: es, and what is encrypted. */
int planner_name_mapping(Planner *p) {
    char clean[MAPPING_NAME_MAX + 1], base[MAPPING_NAME_MAX + sizeof("es")];

    clean_name(p->plan->array_name ?: last_part(p->request->devices[0]), clean, MAPPING_NAME_MAX);
    (void)snprintf(base, sizeof(base), "es%s", clean);
    if (p->plan->mapping && !is_taken_mapping(p, p->plan->mapping))
        return 0; /* the record's */
    return find_free_name(p, is_taken_mapping, base, &p->plan->mapping);
}

int planner_array_path(const Planner *p, char **ret) {
    return text_format(ret, "/dev/md/%s", p->plan->array_name);
}

int planner_mapping_path(const Planner *p, char **ret) {
    return text_format(ret, "/dev/mapper/%s", p->plan->mapping);
}

/* NULL: none, or one that is always there. */
static const char *program_of(const Planner *p, StepType type) {
    static const struct {
        const char *fs_type, *mkfs, *grow;
    } file_systems[] = {{"ext3", "mkfs.ext3", "resize2fs"},
                        {"ext4", "mkfs.ext4", "resize2fs"},
                        {"xfs", "mkfs.xfs", "xfs_growfs"},
                        {"btrfs", "mkfs.btrfs", "btrfs"}};

    switch (type) {
    case STEP_RAID_CREATE:
    case STEP_RAID_ASSEMBLE:
    case STEP_RAID_STOP:
    case STEP_GROW_ARRAY:
        return "mdadm";
    case STEP_LUKS_FORMAT:
    case STEP_LUKS_OPEN:
    case STEP_LUKS_CLOSE:
    case STEP_GROW_LUKS:
        return "cryptsetup";
    case STEP_SEAL_KEY:
        return "systemd-creds";
    case STEP_FORMAT:
    case STEP_GROW_FILE_SYSTEM:
        for (size_t i = 0; i < ELEMENTSOF(file_systems); i++)
            if (streq_ptr(file_systems[i].fs_type, p->plan->fs_type))
                return type == STEP_FORMAT ? file_systems[i].mkfs : file_systems[i].grow;
        return NULL;
    default:
        return NULL;
    }
}

int planner_check_programs(Planner *p) {
    for (size_t i = 0; i < p->plan->n_steps; i++) {
        const Step *s = &p->plan->steps[i];
        const char *program = program_of(p, s->type);
        int r;

        if (s->state == STEP_DONE || !program || list_has(p->facts->programs, program))
            continue;
        r = refuse(p->refusal, "missing-program",
                   "the program %s is not installed; the step %s needs it", program,
                   step_type_to_string(s->type));
        return r < 0 ? r : free_and_strdup(&p->refusal->program, program) ?: 1;
    }
    return 0;
}
