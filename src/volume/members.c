/* SPDX-License-Identifier: Apache-2.0 */
#include "volume/members.h"

#include "volume/block.h"
#include "volume/refuse.h"
#include "volume/resolve.h"

/* What the record calls the device that the request names so; NULL: nothing. */
static const char *recorded_identity(const Plan *record, const char *name) {
    char *const *devices = record ? record->request.devices : NULL, *const *d = devices;

    for (char *const *disk = record ? record->disks : NULL; d && *d && disk && *disk; d++, disk++)
        if (streq(*d, name))
            return *disk;
    return NULL;
}

/* What has not been made yet needs all its disks; what has been made is looked at. */
static bool may_be_absent(const char *name, void *userdata) {
    const Planner *p = userdata;

    if (p->request->raid_level < 0)
        return false;
    return !p->request->format || (planner_state_of(p->previous, STEP_RAID_CREATE) == STEP_DONE &&
                                   recorded_identity(p->previous, name));
}

/* The disk that was meant is there, under another name. */
static int check_moved(Planner *p, const char *name) {
    const char *identity = recorded_identity(p->previous, name);
    const Block *b = NULL;

    if (identity)
        TRY(members_find_identity(p->facts, identity, &b));
    return b ? refuse(p->refusal, "other-disk",
                      "there is no device %s. When the same request was made before, that was %s, "
                      "which is now called %s. Name the device by a link below /dev/disk/by-id",
                      name, identity, b->name)
             : 0;
}

int members_find(Planner *p) {
    const Block *found[VOLUME_DEVICES_MAX] = {};
    char *const *names = p->request->devices;

    TRY_PLAN(resolve_devices(p->facts, names, may_be_absent, p, found, p->refusal));
    p->n_members = 0;
    for (size_t i = 0; names[i]; i++) {
        if (found[i]) {
            p->members[p->n_members++] = found[i];
            continue;
        }
        TRY_PLAN(check_moved(p, names[i]));
        TRY(text_add(&p->absent, "%s", names[i]));
    }
    /* not one is there: the request is refused as if there were no array */
    return p->n_members > 0 ? 0 : resolve_devices(p->facts, names, NULL, NULL, found, p->refusal);
}

int members_check(Planner *p) {
    const Block *b;

    if (!p->absent || !p->request->format || planner_state(p, STEP_RAID_CREATE) == STEP_DONE)
        return 0;
    return resolve_device(p->facts, p->absent[0], &b, p->refusal);
}

/* udev may have given one link to two devices that say the same of themselves. */
static int check_path(Planner *p, const Block *b, const char *path) {
    for (size_t i = 0; i < p->facts->n_blocks; i++) {
        const Block *other = &p->facts->blocks[i];

        if (other != b && (streq(other->name, path) || list_has(other->links, path)))
            return refuse(p->refusal, "ambiguous",
                          "/dev/%s may be %s or %s: are they two paths to one disk?", path, b->name,
                          other->name);
    }
    return 0;
}

static int list_member(Planner *p, const Block *b) {
    _cleanup_free_ char *identity = NULL, *path = NULL;

    TRY(block_identity(b, &identity));
    TRY(text_add(&p->plan->disks, "%s", identity));
    TRY(block_path(b, &path));
    TRY_PLAN(check_path(p, b, strempty(text_after(path, "/dev/"))));
    return text_is(path, "/dev/", b->name)
               ? planner_note(p, "%s has no name that is sure to survive a reboot", b->name)
               : 0;
}

int members_list(Planner *p) {
    size_t n = 0;

    for (char *const *d = p->request->devices; *d; d++) {
        const char *recorded = recorded_identity(p->previous, *d);

        if (!list_has(p->absent, *d))
            TRY_PLAN(list_member(p, p->members[n++]));
        else if (recorded)
            TRY(text_add(&p->plan->disks, "%s", recorded));
        else
            TRY(text_add(&p->plan->disks, "%s, not attached", *d));
    }
    return 0;
}

int members_find_identity(const Facts *f, const char *identity, const Block **ret) {
    *ret = NULL;
    for (size_t i = 0; i < f->n_blocks && !*ret; i++) {
        _cleanup_free_ char *other = NULL;

        TRY(block_identity(&f->blocks[i], &other));
        if (identity_is(identity, other))
            *ret = &f->blocks[i];
    }
    return 0;
}

bool members_have(const Plan *plan, const char *identity) {
    for (char *const *d = plan->disks; d && *d; d++)
        if (identity_is(*d, identity))
            return true;
    return false;
}

int members_describe_absent(const Planner *p, char **ret) {
    _cleanup_free_ char *names = NULL;

    TRY(text_join(p->absent, &names));
    return text_format(ret, "%s%s", *names ? "; not attached: " : "", names);
}
