/* SPDX-License-Identifier: Apache-2.0 */
/* A list of steps, which plan_mount(), plan_grow() and plan_remove() make.
 *
 * A plan with the state of its steps is also the intent record: dcm-volume keeps it as a file,
 * written durably before the first write to a device and at the begin and the end of each step. */
#pragma once

#include "volume/facts.h"
#include "volume/request.h"

typedef enum StepType {
    STEP_WIPE,          /* signatures of `devices` (force), or our own of a step that was cut */
    STEP_RAID_CREATE,   /* script configureRaid */
    STEP_RAID_ASSEMBLE, /* script assembleRaid */
    STEP_LUKS_FORMAT,   /* script setupEncryption */
    STEP_LUKS_OPEN,     /* script openEncryption */
    STEP_FORMAT,        /* script format */
    STEP_SEAL_KEY, /* an encrypted credential, and the drop-in that hands it to systemd-cryptsetup@
                    */
    STEP_CRYPTTAB,
    STEP_DIRECTORY, /* make the mount point */
    STEP_FSTAB,
    STEP_MOUNT, /* script mount */
    STEP_GROW_LUKS,
    STEP_GROW_ARRAY,
    STEP_GROW_FILE_SYSTEM,
    STEP_UNMOUNT,    /* script unmount */
    STEP_LUKS_CLOSE, /* script closeEncryption */
    STEP_RAID_STOP,
    STEP_FSTAB_REMOVE,
    STEP_CRYPTTAB_REMOVE,
    STEP_KEY_REMOVE, /* credential and drop-in of STEP_SEAL_KEY */
} StepType;

typedef enum StepState {
    STEP_PENDING,
    STEP_BEGUN, /* on the disk before its first write; whether it has ended is not known */
    STEP_DONE,  /* has ended, and what it wrote is on the disk */
} StepState;

typedef struct Step {
    StepType type;
    StepState state;
    char **devices;  /* paths that survive a reboot: /dev/disk/by-id/..., /dev/mapper/NAME */
    char *result;    /* the path of what it makes: array, mapping; NULL */
    char *uuid;      /* of what it makes, or of what it takes */
    char *options;   /* of the line that it writes; NULL: it writes none */
    bool wipe_first; /* it was begun and not done: what is there with `uuid` is ours, and made again
                      */
} Step;

typedef struct Plan {
    char id[VOLUME_ID_SIZE];
    VolumeRequest
        request;  /* as it came; mount point, file system, label and options of the steps */
    char **disks; /* identity of each device: link, serial and size */
    char *array_name, *array_uuid;
    char *mapping, *luks_uuid;
    char *fs_type, *fs_uuid; /* what will be mounted */
    Step *steps;
    size_t n_steps;
    Step *later; /* with `more`: of the record, to be planned again; none of them is run now */
    size_t n_later;
    char **overwrites; /* signatures that `force` gives up, each "DEVICE: what it is" */
    bool more; /* what comes after the last step cannot be seen yet: run these, look, plan again */
    bool was_mounted; /* its file system was mounted once: it is not fresh any more */
    bool complete;    /* every step is done: a repeated request changes nothing */
    char **notes; /* what the administrator should know: degraded array, what was there before */
} Plan;

/* Why nothing is done. `code` tells a program, `text` a person: what was found (type, UUID, label,
 * user). */
typedef struct Refusal {
    char *code; /* "in-use", "signature", "root-disk", "ambiguous", "missing", "too-small", ... */
    char *text;
    char *program; /* "missing-program": which one is to be installed; else NULL */
} Refusal;

extern const FieldTable plan_table, step_table;

void plan_done(Plan *p);
void refusal_done(Refusal *r);

/* The record, and the reply object of a dry run. No key is in it. -EBADMSG: not a plan. */
int plan_to_json(const Plan *p, struct json_object **ret);
int plan_from_json(struct json_object *o, Plan *ret);

const char *step_type_to_string(StepType t) _const_;
