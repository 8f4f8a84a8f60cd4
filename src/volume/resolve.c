/* SPDX-License-Identifier: Apache-2.0 */
/* Each rule says whether a block may be meant by a name. If any rule of the first group fits, the
 * second group is not asked. More than one block is a refusal: no rule is better than another. */
#include "volume/resolve.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "volume/block.h"
#include "volume/refuse.h"

typedef bool (*Rule)(const Facts *f, const Block *b, const char *name);

static bool is_kernel_name(const Facts *f, const Block *b, const char *name) {
    return streq(b->name, name) || (b->dm_name && streq(b->dm_name, name));
}

static bool is_link(const Facts *f, const Block *b, const char *name) {
    return list_has(b->links, name);
}

/* A link below disk/by-id or mapper without its folder, such as google-data or nvme-... */
static bool is_short_link(const Facts *f, const Block *b, const char *name) {
    if (strchr(name, '/'))
        return false;
    for (char *const *l = b->links; l && *l; l++)
        if (text_is(*l, "disk/by-id/", name) || text_is(*l, "mapper/", name) ||
            text_is(*l, "md/", name))
            return true;
    return false;
}

static const char *without_dev(const char *name) {
    return text_after(name, "/dev/") ?: name;
}

/* "f1" of sdf1 and xvdf1; NULL: the name is no such. */
static const char *letters_of(const char *name) {
    return text_after(name, "xvd") ?: text_after(name, "sd");
}

/* Amazon: the name that was asked for is kept by the NVMe disk; sdf and xvdf mean the same. */
static bool is_wanted_name(const Facts *f, const Block *b, const char *name) {
    const char *wanted = b->wanted_name ? without_dev(b->wanted_name) : NULL;

    return wanted && (streq(wanted, name) || (letters_of(wanted) && letters_of(name) &&
                                              streq(letters_of(wanted), letters_of(name))));
}

/* Amazon: the serial number is the volume's id without its dash. */
static bool is_volume_id(const Facts *f, const Block *b, const char *name) {
    const char *id = text_after(name, "vol"), *serial = text_after(b->serial, "vol");

    if (isempty(id) || isempty(serial))
        return false;
    id += *id == '-';
    serial += *serial == '-';
    return *id && streq(id, serial);
}

static bool is_google_name(const Facts *f, const Block *b, const char *name) {
    static const char *const prefixes[] = {"disk/by-id/google-",
                                           "disk/by-id/scsi-0Google_PersistentDisk_"};

    for (char *const *l = b->links; l && *l; l++)
        for (size_t i = 0; i < ELEMENTSOF(prefixes); i++)
            if (text_is(*l, prefixes[i], name))
                return true;
    return false;
}

/* Number of a disk; -1: the name is not a number of at most three digits. */
static int number_of(const char *name) {
    const size_t n = strlen(name);

    return n > 0 && n <= 3 && strspn(name, "0123456789") == n ? atoi(name) : -1;
}

static bool is_azure(const Facts *f) {
    for (size_t i = 0; i < f->n_blocks; i++)
        for (char *const *l = f->blocks[i].links; l && *l; l++)
            if (text_after(*l, "disk/azure/"))
                return true;
    return false;
}

/* Azure: lun3, or its number. */
static bool is_azure_lun(const Facts *f, const Block *b, const char *name) {
    const char *digits = text_after(name, "lun") ?: name;
    char link[sizeof("disk/azure/scsi1/lun") + 16];

    if (number_of(digits) < 0 || !is_azure(f))
        return false;
    (void)snprintf(link, sizeof(link), "disk/azure/scsi1/lun%d", number_of(digits));
    return list_has(b->links, link);
}

/* CloudStack: 1 is the second disk, 3 the CD-ROM drive. Disk 0, the root disk, has no number that a
 * manager would name. */
static bool is_cloudstack_number(const Facts *f, const Block *b, const char *name) {
    static const char *const buses[] = {"xvd", "vd", "sd"};
    const int n = number_of(name);

    if (n < 1 || n > 9 || n == 3 || is_azure(f))
        return false;
    for (size_t i = 0; i < ELEMENTSOF(buses); i++) {
        const char *letter = text_after(b->name, buses[i]);

        if (letter && *letter == 'a' + n && !letter[1])
            return true;
    }
    return false;
}

/* Xen calls the disk xvdf that its manager calls sdf. */
static bool is_xen_name(const Facts *f, const Block *b, const char *name) {
    const char *letters = text_after(name, "sd"), *own = text_after(b->name, "xvd");

    return letters && own && *letters && streq(letters, own);
}

static const Rule first_rules[] = {
    is_kernel_name, is_link,        is_short_link, is_wanted_name,
    is_volume_id,   is_google_name, is_azure_lun,  is_cloudstack_number};
static const Rule second_rules[] = {is_xen_name};

/* A path of a multipath device stands for the whole. */
static const Block *whole_of(const Facts *f, const Block *b) {
    for (char *const *h = b->holders; h && *h; h++) {
        const Block *holder = facts_find(f, *h);

        if (holder && block_is_multipath(holder))
            return holder;
    }
    return b;
}

typedef struct Found {
    const Block *first, *second; /* NULL: there is none */
} Found;

static void search(const Facts *f, const char *name, const Rule *rules, size_t n_rules,
                   Found *ret) {
    for (size_t i = 0; i < f->n_blocks; i++)
        for (size_t j = 0; j < n_rules; j++) {
            const Block *b;

            if (!rules[j](f, &f->blocks[i], name))
                continue;
            b = whole_of(f, &f->blocks[i]);
            if (!ret->first)
                ret->first = b;
            else if (b != ret->first && !ret->second)
                ret->second = b;
        }
}

static int list_blocks(const Facts *f, char **ret) {
    char **list = NULL;
    int r = 0;

    for (size_t i = 0; i < f->n_blocks && r >= 0; i++)
        if (f->blocks[i].type == BLOCK_DISK)
            r = text_add(&list, "%s%s", f->blocks[i].name,
                         f->blocks[i].is_root ? " (root disk)" : "");
    if (r >= 0)
        r = text_join(list, ret);
    for (char **s = list; s && *s; s++)
        free(*s);
    free(list);
    return r;
}

static int refuse_missing(const Facts *f, const char *name, Refusal *ret) {
    _cleanup_free_ char *disks = NULL;

    TRY(list_blocks(f, &disks));
    return refuse(ret, "missing",
                  "there is no device %s. Disks of this machine: %s. Is it attached? Name a disk "
                  "as `dcm-volume disks` does",
                  name, isempty(disks) ? "none" : disks);
}

static int refuse_ambiguous(const char *name, const Found *found, Refusal *ret) {
    _cleanup_free_ char *first = NULL, *second = NULL, *path = NULL;

    TRY(block_describe(found->first, &first));
    TRY(block_describe(found->second, &second));
    TRY(block_path(found->first, &path));
    return refuse(ret, "ambiguous",
                  "%s may be %s or %s. Name the device by a link below /dev/disk/by-id, such as %s",
                  name, first, second, path);
}

int resolve_device(const Facts *f, const char *name, const Block **ret, Refusal *ret_refusal) {
    const char *bare = without_dev(name);
    Found found = {};

    search(f, bare, first_rules, ELEMENTSOF(first_rules), &found);
    if (!found.first)
        search(f, bare, second_rules, ELEMENTSOF(second_rules), &found);
    if (!found.first || !*bare)
        return refuse_missing(f, name, ret_refusal);
    if (found.second)
        return refuse_ambiguous(name, &found, ret_refusal);
    *ret = found.first;
    return 0;
}

/* Two paths to one disk that no multipath device joins: all that the disk says of itself is the
 * same. Names of an NVMe controller are not compared: its namespaces share the serial number. */
static bool look_the_same(const Block *a, const Block *b) {
    return text_after(a->name, "sd") && text_after(b->name, "sd") && a->type == BLOCK_DISK &&
           b->type == BLOCK_DISK && !isempty(a->serial) && streq_ptr(a->serial, b->serial) &&
           streq_ptr(a->model, b->model) && streq_ptr(a->vendor, b->vendor) &&
           a->size_bytes == b->size_bytes;
}

static int check_pair(const Facts *f, char *const *names, const Block *const *blocks, size_t i,
                      size_t j, Refusal *ret) {
    const Block *a = blocks[i], *b = blocks[j];

    if (a == b)
        return refuse(ret, "ambiguous", "%s and %s are one device, %s: name each device once",
                      names[i], names[j], a->name);
    if (look_the_same(a, b))
        return refuse(ret, "ambiguous",
                      "%s and %s have the same serial number %s: they may be two paths to one "
                      "disk. Set up multipath, or name one of them",
                      names[i], names[j], a->serial);
    if (block_lies_on(f, a, b) || block_lies_on(f, b, a))
        return refuse(ret, "ambiguous",
                      "%s and %s lie on each other: name either the disk or the part of it",
                      names[i], names[j]);
    return 0;
}

int resolve_devices(const Facts *f, char *const *names,
                    bool (*may_be_absent)(const char *name, void *userdata), void *userdata,
                    const Block **ret, Refusal *ret_refusal) {
    for (size_t i = 0; names && names[i]; i++) {
        int r = resolve_device(f, names[i], &ret[i], ret_refusal);

        if (r == 1 && may_be_absent && streq(ret_refusal->code, "missing") &&
            may_be_absent(names[i], userdata)) {
            refusal_done(ret_refusal);
            ret[i] = NULL;
            continue;
        }
        TRY_PLAN(r);
        for (size_t j = 0; j < i; j++)
            if (ret[j])
                TRY_PLAN(check_pair(f, names, ret, j, i, ret_refusal));
    }
    return 0;
}
