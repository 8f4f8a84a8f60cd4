/* SPDX-License-Identifier: Apache-2.0 */
/* The package manager runs in a unit of its own: a job's sandbox has a read-only /usr. */
#include "dcm-volume/packages.h"

#include <stdio.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "dcm-volume/child.h"
#include "dcm-volume/progress.h"
#include "site/policy.h"

#define INSTALL_USEC (1800 * USEC_PER_SEC)

static const struct {
    const char *program, *package, *suse; /* NULL: the same */
} packages[] = {
    {"mkfs.ext3", "e2fsprogs", NULL},       {"mkfs.ext4", "e2fsprogs", NULL},
    {"resize2fs", "e2fsprogs", NULL},       {"mkfs.xfs", "xfsprogs", NULL},
    {"xfs_growfs", "xfsprogs", NULL},       {"mkfs.btrfs", "btrfs-progs", "btrfsprogs"},
    {"btrfs", "btrfs-progs", "btrfsprogs"}, {"mdadm", "mdadm", NULL},
    {"cryptsetup", "cryptsetup", NULL},     {"wipefs", "util-linux", NULL},
    {"systemd-creds", "systemd", NULL},
};

/* The first one that is there. */
static const struct {
    const char *path, *name;
    bool is_suse;
    const char *environment;
    const char *options[4];
} managers[] = {
    {"/usr/bin/apt-get",
     "apt-get",
     false,
     "DEBIAN_FRONTEND=noninteractive",
     {"--assume-yes", "--no-install-recommends"}},
    {"/usr/bin/dnf", "dnf", false, "LANG=C", {"--assumeyes"}},
    {"/usr/bin/yum", "yum", false, "LANG=C", {"--assumeyes"}},
    {"/usr/bin/zypper", "zypper", true, "LANG=C", {"--non-interactive"}},
};

static size_t find_manager(void) {
    size_t i = 0;

    while (i < ELEMENTSOF(managers) && access(managers[i].path, X_OK) < 0)
        i++;
    return i;
}

static const char *find_package(const char *program, bool is_suse) {
    for (size_t i = 0; i < ELEMENTSOF(packages); i++)
        if (streq(packages[i].program, program))
            return is_suse && packages[i].suse ? packages[i].suse : packages[i].package;
    return NULL;
}

/* *ret_error: why the policy cannot be read; NULL: it can. The caller frees. */
static bool is_allowed(char **ret_error) {
    _cleanup_(policy_freep) Policy *p = NULL;

    *ret_error = NULL;
    return policy_load(CONFDIR "/policy.conf", CONFDIR "/policy.conf.d", &p, ret_error) >= 0 &&
           policy_installs_tools(p);
}

/* zypper has its own options before the verb, the others take them anywhere. `package` may be NULL.
 */
static int call(size_t manager, const char *verb, const char *package, char **ret_tail) {
    const char *argv[16];
    size_t n = 0;
    Child c;

    argv[n++] = "systemd-run";
    argv[n++] = "--quiet";
    argv[n++] = "--wait";
    argv[n++] = "--collect";
    argv[n++] = "--pipe";
    argv[n++] = "--service-type=oneshot"; /* else SIGTERM is a good end */
    argv[n++] = "--setenv";
    argv[n++] = managers[manager].environment;
    argv[n++] = "--";
    argv[n++] = managers[manager].path;
    for (const char *const *o = managers[manager].options; package && *o; o++)
        argv[n++] = *o;
    argv[n++] = verb;
    argv[n++] = package;
    argv[n] = NULL;
    c = (Child){.argv = argv, .key_fd = -1, .timeout_usec = INSTALL_USEC, .on_line = progress_line};
    return child_run(&c, ret_tail);
}

/* A fresh machine has no lists of packages; apt-get(8) alone does not fetch them by itself. */
static int install(size_t manager, const char *package, char **ret_tail) {
    _cleanup_free_ char *ignored = NULL;
    int r = call(manager, "install", package, ret_tail);

    if (r <= 0 || !streq(managers[manager].name, "apt-get"))
        return r;
    if (call(manager, "update", NULL, &ignored) != 0)
        return r;
    free(*ret_tail);
    *ret_tail = NULL;
    return call(manager, "install", package, ret_tail);
}

/* `why`: the last that was said; NULL: nothing. */
static int advise(const char *text, const char *why, const char *manager, const char *package,
                  char **ret) {
    return asprintf(ret, "%s%s%s%s: %s install %s", text, isempty(why) ? "" : " (", strempty(why),
                    isempty(why) ? "" : ")", manager, package) < 0
               ? -ENOMEM
               : 0;
}

int packages_install(const char *program, char **ret_advice) {
    size_t manager = find_manager();
    const bool is_known = manager < ELEMENTSOF(managers);
    const char *package = find_package(program, is_known && managers[manager].is_suse);
    _cleanup_free_ char *tail = NULL, *error = NULL;
    int r;

    if (!is_known || !package) {
        *ret_advice = strdup("Install the package that has it");
        return *ret_advice ? 0 : -ENOMEM;
    }
    if (!is_allowed(&error))
        return error ? advise("Install it; whether that is allowed here cannot be seen", error,
                              managers[manager].name, package, ret_advice)
                     : advise("Install it, or allow it in policy.conf(5) (install_missing_tools)",
                              NULL, managers[manager].name, package, ret_advice);
    r = install(manager, package, &tail);
    if (r == 0)
        return 1;
    if (r < 0 && r != -ETIMEDOUT)
        return r;
    return advise("It could not be installed; try", tail, managers[manager].name, package,
                  ret_advice);
}
