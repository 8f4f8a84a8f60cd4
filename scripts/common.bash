# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Shared by the scripts that change users, names and rights. A script sets its name in `program` and then
# sources this file. Their rules: check first, then act; each step can be repeated; one script at a time.
set -Eeuo pipefail
shopt -s inherit_errexit
umask 022
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8

# Made by tmpfiles.d for jobs that may not write in /run. Only root can open it, and so hold the lock.
readonly lock_file=/run/dcm-agent-scripts.lock
readonly lock_patience=100 # seconds; the shortest job of these scripts has 120
# Comment of a user whose useradd or userdel has not completed: they write several files, and may be killed in between.
# No person's name has an equals sign.
# shellcheck disable=SC2034 # for scripts
readonly half_made="dcm-agent=has not finished with this user"
# set: say what would be done, and change nothing
# shellcheck disable=SC2034 # for scripts
readonly dry_run=${DCM_DRY_RUN-}
readonly name_max=32       # of a user or a group: what useradd(8) takes

# Some programs fail without a message.
trap 'report_failure $? "$BASH_COMMAND"' ERR
report_failure() { # STATUS COMMAND: the command without its arguments
    ((BASH_SUBSHELL)) || echo "${program:?}: ${2%%[[:space:]]*} failed with status $1" >&2
}

die() { # STATUS TEXT
    echo "${program:?}: $2" >&2
    exit "$1"
}

need() { # STATUS PROGRAM...
    local name status=$1
    shift
    for name; do
        type -P "$name" >/dev/null || die "$status" "there is no $name; install it"
    done
}

# --- scripts that a script runs --------------------------------------------------------------------------

readonly shipped_scripts=${DCM_BASEDIR:-/usr/lib/dcm-agent}/scripts

# What root alone can have written: the agent runs nothing else.
check_trust() { # FILE
    local type owner mode
    read -r owner mode type < <(stat -Lc '%u %a %F' -- "$1") || die 1 "$1 cannot be used: it leads nowhere"
    [[ $type == regular* ]] || die 1 "$1 cannot be used: it is not a regular file"
    ((owner == 0)) || die 1 "$1 cannot be used: root does not own it"
    ((!(8#$mode & 8#022))) || die 1 "$1 cannot be used: group or others can write it"
}

find_script() { # NAME: as the agent does it
    local found
    for found in "/etc/dcm-agent/scripts/$1" "$shipped_scripts/$1"; do
        if [[ -e $found || -L $found ]]; then
            if [[ $found -ef /dev/null || -f $found && ! -s $found ]]; then
                die 1 "the script $1 is masked" # an empty one would be done, and nothing with it
            fi
            check_trust "$found"
            echo "$found"
            return
        fi
    done
    die 1 "there is no script $1"
}

# --- turns -----------------------------------------------------------------------------------------------

# One script at a time. `initialize` passes its lock to the scripts that it runs, as a descriptor.
take_turn() {
    lock=${DCM_SCRIPTS_LOCK-}
    if [[ ! $lock =~ ^[0-9]+$ || ! /proc/self/fd/$lock -ef $lock_file ]]; then
        [[ -e $lock_file || ! $dry_run ]] || return 0
        [[ -e $lock_file ]] || (umask 077 && : >>"$lock_file")
        exec {lock}<"$lock_file"
    fi
    flock --timeout "$lock_patience" "$lock" ||
        die 1 "another script has been changing users or names for $lock_patience s; try again when it has ended"
    export DCM_SCRIPTS_LOCK=$lock
}

is_name() {
    [[ $1 =~ ^[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?$ && ${#1} -le name_max && $1 != *$'\n'* ]]
}

# --- lookups by exact name -------------------------------------------------------------------------------
# id, getent, pgrep and loginctl take a name that nobody has for a number, so pass numbers. chown and
# setpriv take a number for a name if somebody has it, so pass numbers with a plus sign.

entry_of() { # FILE NAME: puts the fields of its line in `entry`; fails if there is none
    local line
    entry=()
    [[ -r $1 ]] || return 1
    while IFS= read -r line || [[ $line ]]; do
        if [[ $line == "$2:"* ]]; then
            IFS=: read -ra entry <<<"$line"
            return 0
        fi
    done <"$1"
    return 1
}

# Names of the entries with this field, in a file like passwd.
names_with() { # FILE INDEX VALUE
    local line entry
    while IFS= read -r line || [[ $line ]]; do
        IFS=: read -ra entry <<<"$line"
        [[ ${entry[$2]-} != "$3" ]] || echo "${entry[0]}"
    done <"$1"
}

# Groups that list the user as a member, in either group file; the user's own group does not.
groups_of() { # USER
    local file line entry
    local -A found=()
    for file in /etc/group /etc/gshadow; do
        [[ -r $file ]] || continue
        while IFS= read -r line || [[ $line ]]; do
            IFS=: read -ra entry <<<"$line"
            [[ ",${entry[3]-}," != *",$1,"* ]] || found[${entry[0]}]=yes
        done <"$file"
    done
    ((${#found[@]} == 0)) || printf '%s\n' "${!found[@]}"
}

# A user or a group that is not in the files of this machine, but known to another service.
is_in_directory() { # passwd|group NAME
    local found status=0
    ! entry_of "/etc/$1" "$2" && [[ ! $2 =~ ^[0-9]+$ ]] || return 1
    found=$(getent "$1" "$2") || status=$?
    ((status == 0 || status == 2)) || die 1 "getent cannot say whether $2 is in $1 (status $status); try again"
    [[ $found == "$2:"* ]]
}

login_definition() { # NAME DEFAULT: of login.defs(5)
    local name value result=$2
    if [[ -r /etc/login.defs ]]; then
        while read -r name value _ || [[ $name ]]; do
            [[ $name != "$1" || ! $value ]] || result=$value
        done </etc/login.defs
    fi
    echo "$result"
}

# The users and groups of the installed programs, the agent's own among them.
is_declared() { # NAME
    local file type name
    for file in /usr/lib/sysusers.d/*.conf /usr/local/lib/sysusers.d/*.conf; do
        [[ -r $file ]] || continue
        while read -r type name _ || [[ $type ]]; do
            [[ $type != [ug]* || ${name//\"/} != "$1" ]] || return 0
        done <"$file"
    done
    return 1
}

keeps_machine_going() { # NAME
    [[ $1 == @(root|nobody|messagebus|dbus|polkitd|sshd|systemd-*) ]] || is_declared "$1"
}

is_system_id() { # UID
    local first
    first=$(login_definition UID_MIN 1000)
    [[ ! $1 =~ ^[0-9]+$ ]] || ((10#$1 < first || 10#$1 == 65534 || 10#$1 == 65535))
}

is_mount_point() { # PATH
    local point
    while read -r _ _ _ _ point _; do
        [[ $point != "$1" ]] || return 0
    done </proc/self/mountinfo
    return 1
}

# Programs replace these files, and if they cannot, they fail in the middle of the change. Immutable files cannot be
# written.
check_account_files() {
    local file pid
    [[ -w /etc ]] || die 10 "/etc cannot be written"
    for file in /etc/passwd /etc/group /etc/shadow /etc/gshadow; do
        ! is_mount_point "$file" || die 10 "$file is a mount point, so that no other file can take its place"
        [[ ! -e $file || -w $file ]] || die 10 "$file cannot be written; lsattr tells whether it is immutable"
        pid=
        if [[ -r $file.lock ]]; then # of useradd and its like
            IFS= read -rd '' -n 16 pid <"$file.lock" || true
        fi
        [[ ! $pid =~ ^[0-9]+$ || ! -e /proc/$pid ]] || die 10 "$file is being changed by process $pid; try again"
    done
}

check_rules() { # of sudo
    [[ ! -e /etc/sudoers.d || -w /etc/sudoers.d ]] || die 1 "/etc/sudoers.d cannot be written"
}

# --- rights ----------------------------------------------------------------------------------------------

has_selinux() {
    type -P selinuxenabled >/dev/null && selinuxenabled
}

remove_rule() { # USER: of sudo
    local old=/etc/sudoers.d/$1
    rm -f -- "/etc/sudoers.d/dcm-agent-$1" "/etc/sudoers.d/.dcm-agent-$1.new"
    # only what the Python agent wrote
    if [[ -f $old && ! -L $old && $(<"$old") == "$1 ALL=(ALL) NOPASSWD: ALL" ]]; then
        rm -f -- "$old"
    fi
}
