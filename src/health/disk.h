/* SPDX-License-Identifier: Apache-2.0 */
/* Disks, from /proc/diskstats. */
#pragma once

#include "basic/macro.h"

#define DISK_NAME_SIZE 32
#define DISK_SECTOR_SIZE 512u /* of that file, whatever the disk's sector size */

typedef struct Disk {
    char name[DISK_NAME_SIZE];
    uint64_t major, minor;
    bool is_whole; /* false: a part of a disk, or a device on top; excluded from sums */
    uint64_t reads, sectors_read, read_msec, writes, sectors_written, write_msec, n_in_flight,
        busy_msec;
} Disk;

typedef struct DiskTable {
    Disk *disks;
    size_t n, allocated;
} DiskTable;

/* Whether a device is a whole disk. */
typedef bool (*DiskIsWhole)(const char *name, void *userdata);

/* Replaces the content of the table. Calls `is_whole` for devices that are not in `before`; skips
 * invalid lines. */
int disk_table_parse(DiskTable *t, const char *text, const DiskTable *before, DiskIsWhole is_whole,
                     void *userdata);
void disk_table_done(DiskTable *t);
/* Finds the same device in another reading; NULL: it was absent. `hint`: its index in this one. */
const Disk *disk_table_find(const DiskTable *t, const Disk *d, size_t hint) _pure_;

/* Decides by /sys: a whole disk has a device entry, or is a network disk. Partitions have no entry
 * in /sys/block; dm, md, loop, zram, ram and bcache have no device; hidden ones are paths to
 * another disk. */
bool disk_is_whole(int root_fd, const char *name);
