/* SPDX-License-Identifier: Apache-2.0 */
/* File systems on disks of this machine, from /proc/self/mountinfo. Network file systems and those
 * of user-space servers are never touched: their server may be gone, and the call would block. The
 * others need no thread. */
#pragma once

#include "basic/macro.h"
#include "health/proc-file.h"

typedef struct FileSystem {
    char *mount_point;
    size_t mount_point_size; /* in the kernel's notation */
    bool is_part;            /* the mount shows only a directory of the file system */
    uint64_t major, minor;
    bool has_subvolumes;
    bool is_known; /* the figures below are valid */
    uint64_t size, used, available, n_inodes, n_inodes_used;
} FileSystem;

typedef struct FileSystemTable {
    FileSystem *systems;
    size_t n, allocated;
} FileSystemTable;

/* Replaces the content of the table: each file system once, at the shortest mount point that shows
 * all of it and has only local file systems on its path. */
int file_system_table_parse(FileSystemTable *t, const char *text);
void file_system_table_done(FileSystemTable *t);

/* The mounts of a root directory; parsed again only when the kernel reports a change. */
typedef struct MountList {
    ProcFile file;
    FileSystemTable table;
} MountList;

#define MOUNT_LIST_INIT ((MountList){.file = PROC_FILE_INIT})

int mount_list_read(MountList *l, int root_fd, const char *root, ProcText *text);
void mount_list_done(MountList *l);
