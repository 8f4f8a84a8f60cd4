/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-package/apt-backend.h"

#include "dcm-package/apt-repair.h"
#include "dcm-package/apt-words.h"
#include "dcm-package/apt.h"

static bool find_holder(char *buf, size_t size) {
    static const char *const locks[] = {"/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock",
                                        "/var/lib/apt/lists/lock", "/var/cache/apt/archives/lock",
                                        NULL};

    return work_find_lock(locks, buf, size);
}

static bool needs_reboot(const Package *p, const char *release, int64_t boot_sec) {
    (void)boot_sec;
    return package_is_newer_kernel(p->name, release);
}

const Backend apt_backend = {
    .program = "apt-get",
    .family = PACKAGE_DEB,
    .ids = (const char *const[]){"debian", "ubuntu", NULL},
    .programs = (const char *const[]){"/usr/bin/apt-get", "/usr/bin/dpkg-query", NULL},
    .list = apt_list,
    .repair = apt_repair,
    .refresh = apt_refresh,
    .word_install = apt_word_install,
    .word_remove = apt_word_remove,
    .word_update = apt_word_update,
    .simulate = apt_simulate_words,
    .apply = apt_apply_words,
    .find_updates = apt_find_updates,
    .hold = apt_hold,
    .find_holder = find_holder,
    .find_reason = apt_find_reason,
    .needs_reboot = needs_reboot,
    .reboot_reason = "a newer kernel than the running one is installed",
    .sources = "/etc/apt/sources.list.d",
    .source_suffix = ".sources",
    .keys = "/etc/apt/keyrings",
    .key_suffix = ".asc",
    .write_repository = repository_write_deb822,
};
