# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Shared by the scripts that dcm-volume(8) runs for its steps. Source it after common.bash. A device is a path,
# or a name below /dev. What the arguments have no room for is in the environment, and may be absent:
#   DCM_UUID           of the array, LUKS header or file system that is made
#   DCM_LABEL          of the file system
#   DCM_MOUNT_OPTIONS  further options of mount(8)
#   DCM_LUKS_OPTIONS   further options of cryptsetup luksFormat
#   DCM_DEGRADED       yes: an array that lacks disks may be started
#   DCM_RELOADED       yes: systemd has read /etc/fstab since it was changed
#   DCM_FRESH          yes: the file system is new, and is mounted for the first time
readonly settle_sec=30

device_path() { # NAME: sets `path`, if it is a block device
    path=$1
    [[ $path == /* ]] || path=/dev/$path
    [[ -b $path ]]
}

# Whether nothing is known to be on a device: no signature that blkid knows.
check_blank() { # STATUS PATH
    local status=0 found
    found=$(blkid -p -o export -- "$2" 2>&1) || status=$?
    ((status == 2)) ||
        die "$1" "$2 is not blank; 'wipefs --all' removes what is there: ${found//$'\n'/ }"
}

settle() {
    udevadm settle --timeout="$settle_sec" || true # what is missing then is noticed
}

is_mounted() { # PATH: for the whole machine, not for this job alone
    local point
    while read -r _ _ _ _ point _; do
        [[ $(printf '%b' "$point") != "$1" ]] || return 0
    done </proc/1/mountinfo
    return 1
}

mount_unit() { # PATH
    systemd-escape --path --suffix=mount -- "$1"
}
