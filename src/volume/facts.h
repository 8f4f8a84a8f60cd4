/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of this machine's block devices, mounts and tables at one moment. dcm-volume
 * gathers it (src/dcm-volume/look-*.c); the planner reads it and looks at nothing else, so that a
 * test can make up any machine. Every pointer is owned by its struct; a list of strings ends with
 * NULL and may be NULL. */
#pragma once

#include "proto/fields.h"

typedef enum BlockType {
    BLOCK_DISK,
    BLOCK_PARTITION,
    BLOCK_ARRAY,   /* md */
    BLOCK_CRYPT,   /* dm-crypt */
    BLOCK_LOGICAL, /* a logical volume of LVM */
    BLOCK_OTHER,   /* loop, ram, zram, other targets of device mapper, ... */
} BlockType;

/* One of possibly several signatures on a device, as libblkid's low-level probing finds them. */
typedef struct Signature {
    char *type;     /* "ext4", "crypto_LUKS", "linux_raid_member", "LVM2_member", "swap", "gpt" */
    char *usage;    /* "filesystem", "raid", "crypto", "other", "partition-table" */
    char *uuid;     /* as libblkid prints it; NULL: none */
    char *sub_uuid; /* of this one device among those of a file system, an array; NULL: none */
    char *label;
} Signature;

typedef struct Block {
    char *name; /* the kernel's: vda, nvme0n1, md127, dm-0 */
    BlockType type;
    unsigned major, minor;
    uint64_t size_bytes;
    bool read_only;
    bool busy;    /* open(2) with O_EXCL says EBUSY */
    bool swap;    /* in /proc/swaps */
    bool is_root; /* holds / or /boot, /boot/efi, /usr, or is below or beside such a device on one
                     disk */
    bool
        looks_random; /* its beginning does: encrypted without a header (plain dm-crypt), perhaps */
    int probe_error;  /* errno where the signatures could not be read; 0: they were */
    Signature *signatures;
    size_t n_signatures;
    char *model, *serial, *vendor;
    char *wanted_name; /* the name that was asked for at attachment (Amazon's NVMe disks); NULL */
    char **links;      /* below /dev: "disk/by-id/...", "mapper/...", "md/..." */
    char *parent;      /* the disk of a partition; NULL */
    char **holders;    /* what lies on it and is active (sysfs) */
    char **slaves;     /* what it lies on */
    char *dm_name, *dm_uuid;
    char *array_level, *array_state; /* md: "raid1"; array_state of sysfs */
    char *array_uuid;                /* as mdadm(8) prints it */
    unsigned array_disks, array_missing;
    int sync_percent; /* of a resync or a rebuild; -1: none runs */
    /* Of a member of an md array, running or not: what its superblock says of the whole array. */
    char *member_level;    /* "raid1"; NULL: it is no member, or the superblock was not read */
    unsigned member_disks; /* how many the array has when it is whole */
    uint64_t member_events;
    bool member_dirty; /* the array was not clean when this was written */
} Block;

typedef struct Mount {
    char *source; /* as in mountinfo */
    char *block;  /* name of its Block; NULL: not a block device */
    char *target;
    char *fs_type;
    char *options;
    uint64_t size_bytes, used_bytes;
    bool read_only;
} Mount;

/* A line of fstab(5) or crypttab(5). */
typedef struct TabEntry {
    char *source;  /* fstab: device or UUID=...; crypttab: device */
    char *target;  /* fstab: mount point; crypttab: name of the mapping */
    char *fs_type; /* fstab alone */
    char *options;
    bool ours; /* marked as written by dcm-volume */
} TabEntry;

typedef enum PlaceType {
    PLACE_ABSENT,
    PLACE_EMPTY, /* a directory with nothing in it */
    PLACE_FULL,  /* a directory with something in it */
    PLACE_MOUNT_POINT,
    PLACE_LINK,  /* a symbolic link, also as a part of the path */
    PLACE_OTHER, /* a file, or a part of the path is one */
} PlaceType;

typedef struct Facts {
    Block *blocks;
    size_t n_blocks;
    Mount *mounts; /* of PID 1 */
    size_t n_mounts;
    TabEntry *fstab, *crypttab;
    size_t n_fstab, n_crypttab;
    char **sealed;   /* mappings for which a key is sealed on this machine */
    char **programs; /* which of the programs that a plan may need are installed: names */
    char **uuids;    /* every UUID that is in use on this machine, for new ones to differ */
    char *place;     /* the mount point that was asked about; NULL */
    PlaceType place_type;
    bool tabs_read_only; /* /etc cannot be written */
} Facts;

extern const FieldTable facts_table;

void facts_done(Facts *f);

/* The block with this kernel name; NULL: there is none, or `name` is NULL. Belongs to `f`. */
Block *facts_find(const Facts *f, const char *name) _pure_;

/* Facts as JSON, and back: for recorded machines in tests, and `dcm-volume facts`. -EBADMSG: not
 * facts, two blocks of one name, or one that lacks its name, a signature its type, a mount its
 * source, target or type, a line its source or target. */
int facts_to_json(const Facts *f, struct json_object **ret);
int facts_from_json(struct json_object *o, Facts *ret);
