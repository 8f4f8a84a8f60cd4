/* SPDX-License-Identifier: Apache-2.0 */
/* File systems on disks of this machine, from /proc/self/mountinfo. Those of the network, and those
 * that a process serves, are never touched: their server may be gone, and a question would block.
 * No thread is needed for the others. */
#pragma once

#include "basic/macro.h"
#include "health/proc-file.h"

typedef struct FileSystem {
    char *mount_point;
    size_t mount_point_size; /* as the kernel writes it */
    bool is_part;            /* only a directory of it is mounted there */
    uint64_t major, minor;
    bool has_subvolumes;
    bool is_known; /* the figures are there */
    uint64_t size, used, available, n_inodes, n_inodes_used;
} FileSystem;

typedef struct FileSystemTable {
    FileSystem *systems;
    size_t n, allocated;
} FileSystemTable;

/* Fills the table anew: each file system once, at the shortest of its mount points that show all of
 * it and lead through local ones alone. */
int file_system_table_parse(FileSystemTable *t, const char *text);
void file_system_table_done(FileSystemTable *t);

/* The mounts of a root directory, parsed again only after the kernel has said that they changed. */
typedef struct MountList {
    ProcFile file;
    FileSystemTable table;
} MountList;

#define MOUNT_LIST_INIT ((MountList){.file = PROC_FILE_INIT})

int mount_list_read(MountList *l, int root_fd, const char *root, ProcText *text);
void mount_list_done(MountList *l);
