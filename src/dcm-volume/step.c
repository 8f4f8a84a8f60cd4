/* SPDX-License-Identifier: Apache-2.0 */
/* The table of steps. */
#include "dcm-volume/step.h"

#include "dcm-volume/step-device.h"
#include "dcm-volume/step-system.h"

typedef int (*StepFunction)(Work *w, const Step *s);

static const struct {
    const char *text;
    StepFunction act, undo; /* NULL: there is nothing to undo, or no way back */
    bool writes;
} steps[] = {
    [STEP_WIPE] = {"removing what is on the disks", device_wipe, NULL, true},
    [STEP_RAID_CREATE] = {"making the array", array_create, array_destroy, true},
    [STEP_RAID_ASSEMBLE] = {"starting the array", array_assemble, array_stop_again, true},
    [STEP_LUKS_FORMAT] = {"encrypting the device", luks_format, device_unmake, true},
    [STEP_LUKS_OPEN] = {"opening the encrypted device", luks_open, luks_close_again, false},
    [STEP_FORMAT] = {"making the file system", file_system_make, device_unmake, true},
    [STEP_SEAL_KEY] = {"sealing the key for this machine", key_seal, key_unseal, false},
    [STEP_CRYPTTAB] = {"writing /etc/crypttab", crypttab_add, crypttab_restore, false},
    [STEP_DIRECTORY] = {"making the mount point", directory_make, directory_remove, false},
    [STEP_FSTAB] = {"writing /etc/fstab", fstab_add, fstab_restore, false},
    [STEP_MOUNT] = {"mounting the file system", volume_mount, volume_unmount_again, false},
    [STEP_GROW_LUKS] = {"growing the encrypted device", luks_grow, NULL, false},
    [STEP_GROW_ARRAY] = {"growing the array", array_grow, NULL, false},
    [STEP_GROW_FILE_SYSTEM] = {"growing the file system", file_system_grow, NULL, false},
    [STEP_UNMOUNT] = {"unmounting the file system", volume_unmount, NULL, false},
    [STEP_LUKS_CLOSE] = {"closing the encrypted device", luks_close, NULL, false},
    [STEP_RAID_STOP] = {"stopping the array", array_stop, NULL, false},
    [STEP_FSTAB_REMOVE] = {"removing the line from /etc/fstab", fstab_remove, fstab_restore, false},
    [STEP_CRYPTTAB_REMOVE] = {"removing the line from /etc/crypttab", crypttab_remove,
                              crypttab_restore, false},
    [STEP_KEY_REMOVE] = {"removing the sealed key", key_remove, NULL, false},
};

int step_do(Work *w, const Step *s) {
    return steps[s->type].act(w, s);
}

int step_undo(Work *w, const Step *s) {
    if (s->type == STEP_WIPE)
        return work_fail(w, "what was on the disks before is lost");
    return steps[s->type].undo ? steps[s->type].undo(w, s) : 0;
}

bool step_writes(const Step *s) {
    return steps[s->type].writes;
}

const char *step_describe(StepType t) {
    return (size_t)t < ELEMENTSOF(steps) && steps[t].text ? steps[t].text : "";
}
