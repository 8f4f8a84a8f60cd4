/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-package/dnf-backend.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/file-util.h"
#include "dcm-package/dnf-repair.h"
#include "dcm-package/dnf-words.h"
#include "dcm-package/dnf.h"
#include "package/dnf-text.h"

/* A file with the number of a process that lives, as dnf judges it. */
static bool find_pid(const char *path, pid_t *ret) {
    _cleanup_free_ char *text = NULL;
    char process[64];
    long pid;

    if (read_file_at(AT_FDCWD, path, 64, &text, NULL) < 0)
        return false;
    pid = strtol(text, NULL, 10);
    (void)snprintf(process, sizeof(process), "/proc/%ld/stat", pid);
    *ret = (pid_t)pid;
    return pid > 0 && access(process, F_OK) >= 0;
}

/* dnf's own locks, and rpm's, which others have, too. */
static bool find_holder(char *buf, size_t size) {
    static const char *const pids[] = {"/var/lib/dnf/rpmdb_lock.pid",
                                       "/var/cache/dnf/metadata_lock.pid",
                                       "/var/cache/dnf/download_lock.pid"};
    static const char *const locks[] = {"/usr/lib/sysimage/rpm/.rpm.lock", "/var/lib/rpm/.rpm.lock",
                                        "/root/.rpmdb/.rpm.lock", NULL};
    pid_t pid;

    for (size_t i = 0; i < ELEMENTSOF(pids); i++)
        if (find_pid(pids[i], &pid)) {
            work_describe_process(pid, buf, size);
            return true;
        }
    return work_find_lock(locks, buf, size);
}

static bool needs_reboot(const Package *p, const char *release, int64_t boot_sec) {
    (void)release;
    return p->installed_sec > boot_sec && package_needs_reboot(p->name);
}

const Backend dnf_backend = {
    .program = "dnf",
    .family = PACKAGE_RPM,
    .ids = (const char *const[]){"fedora", "rhel", "centos", NULL},
    .programs = (const char *const[]){"/usr/bin/dnf-3", "/usr/bin/rpm", NULL},
    .list = dnf_list,
    .repair = dnf_repair,
    .refresh = dnf_refresh,
    .word_install = dnf_word_install,
    .word_remove = dnf_word_remove,
    .word_update = dnf_word_update,
    .simulate = dnf_simulate_words,
    .apply = dnf_apply_words,
    .find_updates = dnf_find_updates,
    .hold = dnf_hold,
    .find_holder = find_holder,
    .find_reason = dnf_find_reason,
    .needs_reboot = needs_reboot,
    .reboot_reason = "what runs since the last boot was updated",
    .sources = "/etc/yum.repos.d",
    .source_suffix = ".repo",
    .keys = "/etc/pki/rpm-gpg",
    .key_suffix = ".asc",
    .write_repository = repository_write_repo,
    .unsigned_list = "GPG signature is not available",
};
