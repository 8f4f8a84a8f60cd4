/* SPDX-License-Identifier: Apache-2.0 */
/* Disks, from /proc/diskstats. */
#pragma once

#include "basic/macro.h"

#define DISK_NAME_SIZE 32
#define DISK_SECTOR_SIZE 512u /* of that file, whatever the disk has */

typedef struct Disk {
    char name[DISK_NAME_SIZE];
    uint64_t major, minor;
    bool is_whole; /* else it is a part of one, or lies on others: it is not counted */
    uint64_t reads, sectors_read, read_msec, writes, sectors_written, write_msec, n_in_flight,
        busy_msec;
} Disk;

typedef struct DiskTable {
    Disk *disks;
    size_t n, allocated;
} DiskTable;

/* Whether a device is a disk of its own. */
typedef bool (*DiskIsWhole)(const char *name, void *userdata);

/* Fills the table anew. `is_whole` is asked for those that `before` has not; lines that are none
 * are skipped. */
int disk_table_parse(DiskTable *t, const char *text, const DiskTable *before, DiskIsWhole is_whole,
                     void *userdata);
void disk_table_done(DiskTable *t);
/* The same device, in another reading; NULL: it was not there. `hint`: its place in this one. */
const Disk *disk_table_find(const DiskTable *t, const Disk *d, size_t hint) _pure_;

/* By /sys: it has a device below it, or is one of the network. Partitions are no entries of
 * /sys/block; dm, md, loop, zram, ram and bcache have no device; hidden ones are paths to another.
 */
bool disk_is_whole(int root_fd, const char *name);
