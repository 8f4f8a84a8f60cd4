/* SPDX-License-Identifier: Apache-2.0 */
/* Each signature is found by itself, as wipefs(8) does it: probing for "the" file system would
 * prefer one of several, or fail. One with a wrong checksum counts: somebody's data may still be
 * saved. */
#include "dcm-volume/look-probe.h"

#include <blkid/blkid.h>
#include <endian.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/raid/md_p.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/array.h"
#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "dcm-volume/look-nvme.h"

static inline void free_probep(blkid_probe *p) {
    blkid_free_probe(*p);
}

#define RANDOM_SIZE ((size_t)4096)
#define RANDOM_MAX 400      /* of random blocks less than one in 10^9 is above it */
#define MD_CLEAN UINT64_MAX /* as the offset up to which a resync has come */

static const char *md_level(int32_t level) {
    switch (level) {
    case -1:
        return "linear";
    case 0:
        return "raid0";
    case 1:
        return "raid1";
    case 4:
        return "raid4";
    case 5:
        return "raid5";
    case 6:
        return "raid6";
    case 10:
        return "raid10";
    default:
        return NULL;
    }
}

/* `offset`: of the superblock of md. */
static int take_member(int fd, uint64_t offset, Block *b) {
    struct mdp_superblock_1 super;
    const char *level;

    /* md writes past the cache, which may have what an earlier look left there */
    (void)posix_fadvise(fd, (off_t)offset, sizeof(super), POSIX_FADV_DONTNEED);
    if (pread(fd, &super, sizeof(super), (off_t)offset) != (ssize_t)sizeof(super))
        return -EIO;
    if (le32toh(super.magic) != MD_SB_MAGIC || le32toh(super.major_version) != 1)
        return 0; /* of an older version: known as a member, and no more */
    level = md_level((int32_t)le32toh(super.level));
    if (!level)
        return 0;
    TRY(free_and_strdup(&b->member_level, level));
    b->member_disks = le32toh(super.raid_disks);
    b->member_events = le64toh(super.events);
    b->member_dirty = le64toh(super.resync_offset) != MD_CLEAN;
    return 0;
}

/* NULL: there is no such value. It belongs to the probe. */
static const char *value(blkid_probe p, const char *name) {
    const char *text;

    return blkid_probe_lookup_value(p, name, &text, NULL) == 0 && *text ? text : NULL;
}

static int take_signature(blkid_probe p, int fd, Block *b, size_t *allocated) {
    const char *type = value(p, "TYPE"), *table = value(p, "PTTYPE");
    const char *offset = value(p, "SBMAGIC_OFFSET");
    Signature *s;

    if (!type && !table)
        return 0;
    if (array_reserve(&b->signatures, allocated, b->n_signatures + 1, BLOCK_SIGNATURES_MAX) < 0)
        return b->n_signatures < BLOCK_SIGNATURES_MAX ? -ENOMEM : -E2BIG;
    s = &b->signatures[b->n_signatures++];
    *s = (Signature){};
    TRY(free_and_strdup(&s->type, type ?: table));
    TRY(free_and_strdup(&s->usage, type ? value(p, "USAGE") ?: "other" : "partition-table"));
    TRY(free_and_strdup(&s->uuid, value(p, type ? "UUID" : "PTUUID")));
    TRY(free_and_strdup(&s->sub_uuid, type ? value(p, "UUID_SUB") : NULL));
    TRY(free_and_strdup(&s->label, value(p, "LABEL")));
    if (streq(s->type, "linux_raid_member") && offset)
        return take_member(fd, strtoull(offset, NULL, 10), b);
    return 0;
}

int probe_signatures(int fd, Block *b) {
    _cleanup_(free_probep) blkid_probe p = blkid_new_probe();
    size_t allocated = 0;
    int r;

    if (!p)
        return -ENOMEM;
    errno = 0;
    if (blkid_probe_set_device(p, fd, 0, 0) != 0)
        return errno > 0 ? -errno : -EIO;
    blkid_probe_enable_superblocks(p, 1);
    blkid_probe_set_superblocks_flags(p, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_USAGE |
                                             BLKID_SUBLKS_UUID | BLKID_SUBLKS_LABEL |
                                             BLKID_SUBLKS_MAGIC | BLKID_SUBLKS_BADCSUM);
    blkid_probe_enable_partitions(p, 1);
    blkid_probe_set_partitions_flags(p, BLKID_PARTS_MAGIC);
    for (errno = 0; (r = blkid_do_probe(p)) == 0; errno = 0)
        TRY(take_signature(p, fd, b, &allocated));
    if (r < 0)
        return errno > 0 ? -errno : -EIO;
    return 0;
}

/* The chi-squared test of the frequencies of bytes (Knuth, The Art of Computer Programming 3.3.1):
 * for random bytes the mean is 255, the standard deviation 22.6. Text, code and tables of a file
 * system have thousands. */
static bool is_random(const unsigned char bytes[static RANDOM_SIZE]) {
    const double mean = RANDOM_SIZE / 256.0;
    unsigned counts[256] = {};
    double sum = 0;

    for (size_t i = 0; i < RANDOM_SIZE; i++)
        counts[bytes[i]]++;
    for (size_t i = 0; i < ELEMENTSOF(counts); i++)
        sum += (counts[i] - mean) * (counts[i] - mean) / mean;
    return sum < RANDOM_MAX;
}

int probe_looks_random(int fd, bool *ret) {
    unsigned char bytes[RANDOM_SIZE];
    size_t size = 0;
    ssize_t n = 1;

    while (size < sizeof(bytes) && n != 0) {
        n = pread(fd, bytes + size, sizeof(bytes) - size, (off_t)size);
        if (n < 0 && errno != EINTR)
            return -errno;
        size += (size_t)MAX(n, 0);
    }
    *ret = size == sizeof(bytes) && is_random(bytes);
    return 0;
}

/* O_NONBLOCK: a drive without medium does not wait for one. */
static int open_block(const Block *b, int flags) {
    char path[PATH_MAX];
    int fd;

    if (snprintf(path, sizeof(path), "/dev/%s", b->name) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    /* sysfs writes ! for the slash in names such as cciss/c0d0 */
    for (char *c = path; *c; c++)
        if (*c == '!')
            *c = '/';
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags);
    return fd < 0 ? -errno : fd;
}

static bool is_busy(const Block *b) {
    _cleanup_close_ int fd = open_block(b, O_EXCL);

    return fd == -EBUSY;
}

static int probe_block(Block *b, bool exclusive) {
    _cleanup_close_ int fd = -1;

    if (b->size_bytes == 0)
        return -ENOMEDIUM; /* an array that is not started has no size either */
    fd = open_block(b, 0);
    if (fd < 0)
        return fd;
    b->busy = exclusive && is_busy(b);
    TRY(probe_signatures(fd, b));
    TRY(probe_looks_random(fd, &b->looks_random));
    return nvme_wanted_name(fd, b);
}

int look_probe(Facts *f, bool exclusive) {
    for (size_t i = 0; i < f->n_blocks; i++) {
        Block *b = &f->blocks[i];
        int r = b->probe_error ? -b->probe_error : probe_block(b, exclusive);

        if (r == -ENOMEM)
            return r;
        if (r < 0)
            b->probe_error = -r;
    }
    return 0;
}

/* Four groups of eight digits with colons, as mdadm(8) prints it. `uuid`: as libblkid does. */
static int set_array_uuid(Block *b, const char *uuid) {
    char text[40] = "";
    size_t n = 0;

    for (const char *c = uuid; *c && n + 2 < sizeof(text); c++) {
        if (*c == '-')
            continue;
        if (n % 9 == 8)
            text[n++] = ':';
        text[n++] = *c;
    }
    return free_and_strdup(&b->array_uuid, text);
}

static const char *member_uuid(const Block *b) {
    for (size_t i = 0; i < b->n_signatures; i++)
        if (streq(b->signatures[i].type, "linux_raid_member"))
            return b->signatures[i].uuid;
    return NULL;
}

int complete_arrays(Facts *f) {
    for (size_t i = 0; i < f->n_blocks; i++) {
        Block *b = &f->blocks[i];

        for (char **s = b->slaves; b->type == BLOCK_ARRAY && !b->array_uuid && s && *s; s++) {
            const Block *member = facts_find(f, *s);
            const char *uuid = member ? member_uuid(member) : NULL;

            if (uuid)
                TRY(set_array_uuid(b, uuid));
        }
    }
    return 0;
}
