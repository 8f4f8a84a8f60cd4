/* SPDX-License-Identifier: Apache-2.0 */
/* The links are those that udev has in its database for each device. If two devices claim the same
 * link, /dev has only one of them; here both have it, so that the name is ambiguous. */
#include "dcm-volume/look-block.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <systemd/sd-device.h>

#include "basic/array.h"
#include "basic/bounds.h"
#include "basic/md-disks.h"
#include "basic/strv.h"

#define SECTOR_BYTES 512u /* unit of `size` in sysfs, whatever the device's own is */

/* NULL: no such attribute. The text belongs to the device. */
static const char *attribute(sd_device *d, const char *name) {
    const char *value;

    return sd_device_get_sysattr_value(d, name, &value) >= 0 ? value : NULL;
}

static const char *property(sd_device *d, const char *name) {
    const char *value;

    return sd_device_get_property_value(d, name, &value) >= 0 ? value : NULL;
}

static uint64_t attribute_number(sd_device *d, const char *name) {
    const char *value = attribute(d, name);

    return value ? strtoull(value, NULL, 10) : 0;
}

/* A copy without the blanks with which firmware pads; an empty text counts as none. */
static int take_text(const char *text, char **ret) {
    size_t size;

    if (!text)
        return 0;
    text += strspn(text, " ");
    size = strlen(text);
    while (size > 0 && isspace((unsigned char)text[size - 1]))
        size--;
    if (size == 0)
        return 0;
    *ret = strndup(text, size);
    return *ret ? 0 : -ENOMEM;
}

static BlockType mapped_type(sd_device *d) {
    const char *uuid = strempty(attribute(d, "dm/uuid"));

    if (strncmp(uuid, "CRYPT-", 6) == 0)
        return BLOCK_CRYPT;
    return strncmp(uuid, "LVM-", 4) == 0 ? BLOCK_LOGICAL : BLOCK_OTHER;
}

static BlockType block_type(sd_device *d, const char *name) {
    static const char *const others[] = {"loop", "ram", "zram", "sr", "fd", "bcache"};
    const char *type = "";

    (void)sd_device_get_devtype(d, &type);
    if (streq(type, "partition"))
        return BLOCK_PARTITION;
    if (strncmp(name, "dm-", 3) == 0)
        return mapped_type(d);
    if (attribute(d, "md/level") || attribute(d, "md/array_state"))
        return BLOCK_ARRAY;
    for (size_t i = 0; i < ELEMENTSOF(others); i++) {
        size_t size = strlen(others[i]);

        if (strncmp(name, others[i], size) == 0 && isdigit((unsigned char)name[size]))
            return BLOCK_OTHER;
    }
    return BLOCK_DISK;
}

/* Names of the entries of a directory in sysfs, sorted. -ENOENT counts as empty. */
static int list_names(const char *syspath, const char *directory, char ***ret) {
    _cleanup_free_ char *path = NULL;
    struct dirent **entries;
    size_t n_names = 0;
    int n, r = 0;

    if (asprintf(&path, "%s/%s", syspath, directory) < 0)
        return -ENOMEM;
    n = scandir(path, &entries, NULL, alphasort);
    if (n < 0)
        return errno == ENOENT ? 0 : -errno;
    for (int i = 0; i < n; i++) {
        if (r >= 0 && entries[i]->d_name[0] != '.')
            r = strv_push(ret, &n_names, strdup(entries[i]->d_name));
        free(entries[i]);
    }
    free(entries);
    return r;
}

static int compare_texts(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Without those by a number that the kernel counts up anew at each boot. */
static int take_links(sd_device *d, Block *b) {
    static const char dev[] = "/dev/", diskseq[] = "/dev/disk/by-diskseq/";
    size_t n = 0;

    for (const char *l = sd_device_get_devlink_first(d); l; l = sd_device_get_devlink_next(d)) {
        if (strncmp(l, dev, strlen(dev)) != 0 || strncmp(l, diskseq, strlen(diskseq)) == 0)
            continue;
        if (n >= BLOCK_LINKS_MAX)
            return -E2BIG;
        TRY(strv_push(&b->links, &n, strdup(l + strlen(dev))));
    }
    if (n > 0)
        qsort(b->links, n, sizeof(char *), compare_texts);
    return 0;
}

/* virtio has its serial number at the device, NVMe one level up, SCSI in a page that udev asks
 * for. */
static int take_identity(sd_device *d, Block *b) {
    TRY(take_text(attribute(d, "device/model") ?: property(d, "ID_MODEL"), &b->model));
    TRY(take_text(attribute(d, "serial") ?: attribute(d, "device/serial"), &b->serial));
    if (!b->serial)
        TRY(take_text(property(d, "ID_SCSI_SERIAL") ?: property(d, "ID_SERIAL_SHORT"), &b->serial));
    if (b->type != BLOCK_DISK)
        return 0;
    /* virtio and PCI have a number there */
    TRY(take_text(attribute(d, "device/vendor"), &b->vendor));
    if (b->vendor && strncmp(b->vendor, "0x", 2) == 0) {
        free(b->vendor);
        b->vendor = NULL;
    }
    return 0;
}

static int take_parent(sd_device *d, Block *b) {
    sd_device *parent;
    const char *name;

    if (b->type != BLOCK_PARTITION)
        return 0;
    TRY(sd_device_get_parent(d, &parent));
    TRY(sd_device_get_sysname(parent, &name));
    return take_text(name, &b->parent);
}

/* Percent of `DONE / ALL`; -1: nothing runs ("none"), or it has not begun ("delayed"). */
static int sync_percent(const char *text) {
    unsigned long long done, all;

    if (!text || sscanf(text, "%llu / %llu", &done, &all) != 2 || all == 0)
        return -1;
    return (int)(done * 100 / all);
}

static int take_array(sd_device *d, Block *b) {
    char directory[PATH_MAX];
    const char *syspath;

    if (b->type != BLOCK_ARRAY)
        return 0;
    TRY(take_text(attribute(d, "md/level"), &b->array_level));
    TRY(take_text(attribute(d, "md/array_state"), &b->array_state));
    TRY(take_text(property(d, "MD_UUID"), &b->array_uuid));
    b->array_disks = (unsigned)attribute_number(d, "md/raid_disks");
    TRY(sd_device_get_syspath(d, &syspath));
    (void)snprintf(directory, sizeof(directory), "%s/md", syspath);
    b->array_missing = md_count_missing(AT_FDCWD, directory);
    b->sync_percent = sync_percent(attribute(d, "md/sync_completed"));
    return 0;
}

static int take_block(sd_device *d, const char *name, Block *b) {
    const char *syspath;
    dev_t devno;

    TRY(sd_device_get_devnum(d, &devno));
    TRY(sd_device_get_syspath(d, &syspath));
    b->type = block_type(d, name);
    b->major = major(devno);
    b->minor = minor(devno);
    b->size_bytes = attribute_number(d, "size") * SECTOR_BYTES;
    b->read_only = attribute_number(d, "ro") != 0;
    TRY(take_identity(d, b));
    TRY(take_links(d, b));
    TRY(take_parent(d, b));
    TRY(list_names(syspath, "holders", &b->holders));
    TRY(list_names(syspath, "slaves", &b->slaves));
    TRY(take_text(attribute(d, "dm/name"), &b->dm_name));
    TRY(take_text(attribute(d, "dm/uuid"), &b->dm_uuid));
    if (attribute_number(d, "dm/suspended") != 0)
        b->probe_error =
            EBUSY; /* a read would wait until it is resumed, and nothing could end it */
    return take_array(d, b);
}

/* A path of an NVMe namespace has no device node; a loop device without a file holds nothing. */
static bool is_no_device(sd_device *d, const char *name) {
    if (attribute_number(d, "hidden") != 0)
        return true;
    return block_type(d, name) == BLOCK_OTHER && attribute_number(d, "size") == 0;
}

static int compare_names(const void *a, const void *b) {
    return strverscmp(((const Block *)a)->name, ((const Block *)b)->name);
}

static int add_block(sd_device *d, Facts *f, size_t *allocated) {
    const char *name;
    Block *b;
    int r;

    TRY(sd_device_get_sysname(d, &name));
    if (is_no_device(d, name))
        return 0;
    if (array_reserve(&f->blocks, allocated, f->n_blocks + 1, BLOCKS_MAX) < 0)
        return f->n_blocks < BLOCKS_MAX ? -ENOMEM : -E2BIG;
    b = &f->blocks[f->n_blocks++];
    *b = (Block){.sync_percent = -1, .name = strdup(name)};
    if (!b->name)
        return -ENOMEM;
    r = take_block(d, name, b);
    if (r != -ENOENT && r != -ENODEV)
        return r;
    b->probe_error = -r; /* it has gone since it was listed */
    return 0;
}

int look_blocks(Facts *f) {
    _cleanup_(sd_device_enumerator_unrefp) sd_device_enumerator *e = NULL;
    size_t allocated = 0;

    TRY(sd_device_enumerator_new(&e));
    /* those without an entry in udev's database, too */
    TRY(sd_device_enumerator_allow_uninitialized(e));
    TRY(sd_device_enumerator_add_match_subsystem(e, "block", true));
    for (sd_device *d = sd_device_enumerator_get_device_first(e); d;
         d = sd_device_enumerator_get_device_next(e))
        TRY(add_block(d, f, &allocated));
    qsort(f->blocks, f->n_blocks, sizeof(Block), compare_names);
    return 0;
}
