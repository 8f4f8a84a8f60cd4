/* SPDX-License-Identifier: Apache-2.0 */
/* What the steps of a plan, whole or cut, and a reboot make of a made-up machine. */
#pragma once

#include "volume-model.h"

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

/* Runs what is not done yet, and has `keep` write the record before and after each step, unless it
 * is NULL. Returns whether it was cut, at one step of so many percent: before or after the record
 * says that the step has begun, within the step, or behind it. It ends early, too, where a step did
 * what no plan may do. */
static inline bool model_run(Model *m, Plan *p, unsigned cut_percent,
                             void (*keep)(void *userdata, const Plan *p), void *userdata) {
    if (keep)
        keep(userdata, p);
    for (size_t i = 0; i < p->n_steps; i++) {
        Step *s = &p->steps[i];
        const bool is_cut = chance(m, cut_percent);

        if (s->state == STEP_DONE)
            continue;
        if (is_cut && chance(m, 20))
            return true;
        s->state = STEP_BEGUN;
        if (keep)
            keep(userdata, p);
        if (is_cut && chance(m, 20))
            return true;
        model_do(m, s, p, is_cut && chance(m, 80));
        if (is_cut || m->complaint)
            return true;
        s->state = STEP_DONE;
        s->wipe_first = false;
        if (keep)
            keep(userdata, p);
    }
    return false;
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
