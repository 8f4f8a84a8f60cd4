# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# A throwaway systemd machine: namespaces, and an overlay over this host's own root file system whose
# upper layer is in memory. Nothing on the host changes. Sourced by scripts that run as root.
#
#   machine_possible         fail, with the reason, if no machine can run
#   machine_build DIR        configure and compile DIR if needed
#   machine_up DIR           create a machine, install the build DIR in it, boot it
#   machine_run COMMAND...   run a command in it as root: its standard streams, its exit status
#   machine_down             kill it and remove every trace; also after a failed start
#
# Set before machine_up: machine_share (a directory, seen inside as /run/share), machine_visible
# (directories that must be seen inside under their own name), machine_environment (NAME=VALUE),
# machine_options (for meson setup, if DIR does not exist yet).
# Set by machine_up: machine (its name), machine_dir (its state on the host).

# overlayfs refuses an upper layer that lies below its lower one on the same file system
readonly machines_dir=/dev/shm
readonly machine_prefix=dcm-sandbox
readonly machine_lib=${BASH_SOURCE[0]%/*}
readonly machine_path=/usr/sbin:/usr/bin:/sbin:/bin
# without sys_time: setting the time zone inside would otherwise step the host's clock
readonly machine_caps=-sys_time,-sys_module,-syslog,-sys_rawio,-wake_alarm,-block_suspend,-mac_admin,-mac_override
readonly machine_boot_timeout_sec=60

machine=
machine_dir=
machine_pid=
machines_made=0
machine_share=
machine_visible=()
machine_environment=()
machine_options=()

machine_error() {
    echo "${0##*/}: $*" >&2
    return 1
}

cgroup_of() {
    local root=/sys/fs/cgroup
    [[ -d $root/unified ]] && root+=/unified
    echo "$root/$1"
}

start_time_of() { # PID, in clock ticks since boot; fails if there is no such process
    local stat
    { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return
    read -ra stat <<<"${stat##*) }"
    echo "${stat[19]}"
}

pid_namespace() {
    stat -Lc %i /proc/self/ns/pid
}

wait_until() { # SECONDS COMMAND...; counts, as the clock may be set meanwhile
    local tries=$(($1 * 50))
    shift
    until "$@"; do
        ((tries-- > 0)) || return 1
        sleep 0.02
    done
}

machine_build() {
    [[ -e $1/build.ninja ]] || meson setup "${machine_options[@]}" "$1" "$machine_lib/../.."
    ninja -C "$1"
}

# --- the upper layer: what differs from the host ---------------------------------------------------

hide_host_directory() { # PATH: empty inside, whatever the host has there
    mkdir -p "$machine_dir/upper$1"
    setfattr -n trusted.overlay.opaque -v y "$machine_dir/upper$1"
}

mask_units() {
    local unit units=(
        console-getty.service dev-hugepages.mount dev-mqueue.mount first-boot-complete.target getty.target
        ldconfig.service proc-sys-fs-binfmt_misc.automount sys-fs-fuse-connections.mount
        sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount
        systemd-boot-random-seed.service systemd-firstboot.service systemd-journald-audit.socket
        systemd-networkd.socket systemd-random-seed.service systemd-remount-fs.service
        systemd-resolved.service systemd-sysusers.service systemd-timesyncd.service
        systemd-udev-trigger.service systemd-udevd-control.socket systemd-udevd-kernel.socket
        systemd-udevd.service systemd-update-done.service
    )
    for unit in "${units[@]}"; do
        ln -s /dev/null "$machine_dir/upper/etc/systemd/system/$unit"
    done
}

mask_generators() { # all that look for the host's disks and services
    local generator to=$machine_dir/upper/etc/systemd/system-generators
    mkdir -p "$to"
    for generator in /usr/lib/systemd/system-generators/*; do
        [[ $generator == */systemd-fstab-generator ]] || ln -s /dev/null "$to/${generator##*/}"
    done
}

machine_configure() {
    local upper=$machine_dir/upper path
    mkdir -p "$upper/etc/systemd/journald.conf.d" "$upper/usr/sbin" "$upper/var/lib/dbus"
    for path in /etc/dcm-agent /var/lib/dcm-agent /var/lib/dcm-jobs; do
        [[ ! -e $path ]] || hide_host_directory "$path"
    done
    hide_host_directory /etc/systemd/system
    hide_host_directory /var/log
    mkdir "$upper/var/log/journal"
    mask_units
    mask_generators
    : >"$upper/etc/fstab"
    echo "$machine" >"$upper/etc/hostname"
    printf '127.0.0.1 localhost %s\n::1 localhost\n' "$machine" >"$upper/etc/hosts"
    tr -d - </proc/sys/kernel/random/uuid >"$upper/etc/machine-id"
    ln -s /etc/machine-id "$upper/var/lib/dbus/machine-id"
    printf '[Journal]\nStorage=persistent\nReadKMsg=no\nRateLimitIntervalSec=0\n' \
        >"$upper/etc/systemd/journald.conf.d/sandbox.conf"
    # container images forbid package scripts to start services; here they may
    install -m 755 /dev/stdin "$upper/usr/sbin/policy-rc.d" <<<$'#!/bin/sh\nexit 0'
}

# --- life and death -------------------------------------------------------------------------------

# The name identifies the machine's owner, so that remains of a killed owner can be recognised.
machine_create() {
    local start
    start=$(start_time_of $$)
    machine=$machine_prefix-$$-$start-$((++machines_made))-$(pid_namespace)
    machine_dir=$machines_dir/$machine
    mkdir -m 700 "$machine_dir"
    mkdir -m 755 "$machine_dir"/{upper,work,root}
    mkdir -p "$(cgroup_of "$machine")/command"
}

# An owner in another PID namespace, of a container for instance, is invisible here: it must remove its
# machines itself.
machine_owner_lives() { # NAME
    local pid start namespace
    IFS=- read -r pid start _ namespace <<<"${1#"$machine_prefix-"}"
    [[ $namespace != "$(pid_namespace)" || $(start_time_of "$pid") == "$start" ]]
}

machines_without_owner() {
    local path
    for path in "$machines_dir/$machine_prefix"-* "$(cgroup_of "$machine_prefix")"-*; do
        [[ ! -e $path ]] || machine_owner_lives "${path##*/}" || echo "${path##*/}"
    done | sort -u
}

cgroup_is_empty() {
    grep -qsx 'populated 0' "$1/cgroup.events"
}

machine_remove() { # NAME
    local group
    group=$(cgroup_of "$1")
    if [[ -d $group ]]; then
        echo 1 >"$group/cgroup.kill"
        wait_until 10 cgroup_is_empty "$group" || machine_error "$1 does not die"
        find "$group" -depth -type d -exec rmdir {} +
    fi
    rm -rf "${machines_dir:?}/${1:?}"
}

# Tries each requirement of a machine: an unprivileged container, or a chroot without /proc, lacks some of
# them.
# shellcheck disable=SC2016 # for the shell inside
machine_possible() {
    local problem
    [[ -e /proc/self/ns/pid ]] || machine_error "no machine can run here: /proc is not mounted" || return
    [[ -e $(cgroup_of cgroup.controllers) ]] ||
        machine_error "no machine can run here: $(cgroup_of .) is no cgroup2 file system" || return
    if ! { machine_create && [[ -e $(cgroup_of "$machine")/cgroup.kill ]]; } 2>/dev/null; then
        problem="$machines_dir cannot be written, or $(cgroup_of .) is no writable cgroup2 with cgroup.kill"
    elif problem=$(timeout -k 1 10 \
        unshare --mount --pid --ipc --uts --net --cgroup --propagation private --fork --kill-child=KILL \
        sh -c 'mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" overlay "$1/root" &&
            mount -t proc proc "$1/root/proc"' sh "$machine_dir" 2>&1); then
        problem=
    else
        problem="namespaces and mounts are refused, as in a container without privileges or a plain chroot${problem:+ (${problem//$'\n'/; })}"
    fi
    machine_remove "$machine" 2>/dev/null || true
    machine=
    [[ ! $problem ]] || machine_error "no machine can run here: $problem"
}

machine_sweep() {
    local name
    while read -r name; do
        machine_remove "$name" 2>/dev/null || true # another sweep may be at it
    done < <(machines_without_owner)
}

machine_show_failure() { # WHAT LOG
    [[ ! -s $2 ]] || cat "$2" >&2
    machine_error "$1"
}

machine_install() { # BUILD
    local log=$machine_dir/install.log
    mkdir -p "$1"
    ( # machines of one build may start side by side
        flock 9
        machine_build "$1" && meson install -C "$1" --no-rebuild --destdir "$machine_dir/upper"
    ) 9<"$1/." >"$log" 2>&1 || machine_show_failure "cannot build or install $1" "$log"
}

# The parent-death signals make the machine die with its owner, however the owner dies.
machine_launch() {
    echo $BASHPID >"$(cgroup_of "$machine")/cgroup.procs"
    exec setsid setpriv --pdeathsig KILL \
        unshare --mount --pid --ipc --uts --net --cgroup --propagation private --fork --kill-child=KILL \
        bash "$machine_lib/machine-init" "$machine_dir" "$machine_caps" "$machine_share" \
        "${machine_visible[@]}"
}

machine_is_up() {
    case $(machine_run systemctl is-system-running --wait 2>/dev/null) in
    running | degraded) ;;
    *) return 1 ;;
    esac
}

machine_boot() {
    local init report
    exec {report}< <(machine_launch </dev/null 2>"$machine_dir/boot.log")
    machine_pid=$!
    # end of file: the machine died before its init started
    if read -r init <&"$report"; then
        echo "$init" >"$machine_dir/init"
        wait_until "$machine_boot_timeout_sec" machine_is_up || init=
    fi
    exec {report}<&-
    [[ $init ]] || machine_show_failure "the machine did not boot" "$machine_dir/boot.log"
}

machine_up() { # BUILD, or "": nothing is installed
    machine_sweep
    machine_create
    machine_configure
    [[ ! $1 ]] || machine_install "$1"
    machine_boot
}

machine_enter() { # NAME COMMAND...: becomes COMMAND in the machine NAME; call it in a subshell
    local init directory=$PWD name=$1
    shift
    [[ -e $machines_dir/$name/init ]] || machine_error "there is no machine $name" || exit
    init=$(<"$machines_dir/$name/init")
    echo $BASHPID >"$(cgroup_of "$name")/command/cgroup.procs"
    [[ -d /proc/$init/root$directory ]] || directory=/
    exec nsenter --target "$init" --all -- \
        env -i --default-signal --chdir="$directory" "PATH=$machine_path" HOME=/root LANG=C.UTF-8 \
        "TERM=${TERM:-dumb}" "${machine_environment[@]}" \
        setpriv --inh-caps=-all "--bounding-set=$machine_caps" -- "$@"
}

# In the background, as bash runs a trap only between commands or when it waits.
machine_run() {
    machine_enter "$machine" "$@" <&0 &
    wait $! 2>/dev/null # no remark of bash's when a signal ended it
}

machine_down() {
    [[ $machine ]] || return 0
    machine_remove "$machine"
    [[ ! $machine_pid ]] || wait "$machine_pid" || true
    machine=
}
