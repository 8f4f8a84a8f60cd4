/* SPDX-License-Identifier: Apache-2.0 */
/* The arguments of mount_volume, and of the commands around it. */
#pragma once

#include "proto/fields.h"

typedef struct VolumeRequest {
    bool format;       /* formatVolume */
    char *fs_type;     /* ext3, ext4, xfs, btrfs */
    int raid_level;    /* -1: NONE */
    char **devices;    /* names as the manager gave them; empty: nothing to do */
    bool encrypted;    /* a key came with the request; the key itself is not here */
    char *mount_point; /* absolute, without double slashes or a slash at the end */
    char *label;       /* NULL: none */
    char *options;     /* additional ones of mount(8); NULL: none */
    bool force;        /* signatures are overwritten; never what is in use */
    bool degraded;     /* an array that lacks disks may be started */
    bool persistent;   /* lines in fstab and crypttab */
    bool unlock_at_boot;
    bool wait_for_sync; /* the array is synchronised before the command ends */
} VolumeRequest;

/* Whether `arguments` of any of the commands say dry_run. -EINVAL: as volume_request_parse(). */
int volume_request_dry_run(struct json_object *arguments, bool *ret, char **ret_problem);

/* Which volume unmount_volume and resize_volume mean. -EINVAL: as volume_request_parse(), also for
 * an argument that `command` does not know. *ret_name belongs to `arguments`. */
int volume_request_name(struct json_object *arguments, const char *command, const char **ret_name,
                        char **ret_problem);

/* Whether the name of a volume is a path as a mount point has it: absolute, not below /dev, without
 * dots, double slashes and a slash at the end, and not too long for a directory's name. */
bool volume_name_is_path(const char *name) _pure_;

/* From the JSON object that the job has on standard input; `default_mount_point` where it has none.
 * -EINVAL: *ret_problem says which argument is wrong and why; the caller frees it. The argument
 * dry_run (see above) is the caller's. An argument that is not known is
 * an error, as is a key in the object: it comes as a file. */
int volume_request_parse(struct json_object *arguments, const char *default_mount_point,
                         bool has_key, VolumeRequest *ret, char **ret_problem);
void volume_request_done(VolumeRequest *q);
extern const FieldTable volume_request_table;

/* Whether `options` has this one, without or with a value. NULL: there are none. */
bool mount_options_have(const char *options, const char *name) _pure_;

/* What makes two requests the same: all but force, degraded, wait_for_sync and the
 * key; the order of the devices
 * does not matter. In hex. */
#define VOLUME_ID_SIZE 33
void volume_request_id(const VolumeRequest *q, char ret[static VOLUME_ID_SIZE]);
