/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-volume/look.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/file-util.h"
#include "basic/strv.h"
#include "dcm-volume/look-block.h"
#include "dcm-volume/look-key.h"
#include "dcm-volume/look-mount.h"
#include "dcm-volume/look-place.h"
#include "dcm-volume/look-probe.h"
#include "dcm-volume/look-root.h"
#include "dcm-volume/record.h"
#include "dcm-volume/tabs.h"
#include "dcm-volume/unit-name.h"

static int look_tab(const char *path, TabType type, TabEntry **ret, size_t *ret_n) {
    _cleanup_free_ char *text = NULL;
    size_t size;
    int r;

    r = read_file_at(AT_FDCWD, path, CONFIG_FILE_MAX, &text, &size);
    if (r == -ENOENT)
        return 0;
    TRY(r);
    return tab_parse(text, type, ret, ret_n);
}

static int look_tabs(Facts *f) {
    TRY(look_tab("/etc/fstab", TAB_FSTAB, &f->fstab, &f->n_fstab));
    TRY(look_tab("/etc/crypttab", TAB_CRYPTTAB, &f->crypttab, &f->n_crypttab));
    f->tabs_read_only = access("/etc", W_OK) < 0 && errno == EROFS;
    return 0;
}

static bool is_installed(const char *name) {
    static const char *const directories[] = {"/usr/sbin", "/usr/bin", "/sbin", "/bin"};
    char path[PATH_MAX];

    for (size_t i = 0; i < ELEMENTSOF(directories); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", directories[i], name);
        if (access(path, X_OK) == 0)
            return true;
    }
    return false;
}

static int look_programs(Facts *f) {
    static const char *const names[] = {
        "btrfs",    "cryptsetup", "mdadm",         "mkfs.btrfs", "mkfs.ext3",  "mkfs.ext4",
        "mkfs.xfs", "resize2fs",  "systemd-creds", "wipefs",     "xfs_growfs",
    };
    size_t n = 0;

    for (size_t i = 0; i < ELEMENTSOF(names); i++)
        if (is_installed(names[i]))
            TRY(strv_push(&f->programs, &n, strdup(names[i])));
    return 0;
}

/* UUID=..., as fstab and crypttab have it. */
static int add_uuid_of_tab(Facts *f, size_t *n, const TabEntry *t) {
    static const char prefix[] = "UUID=";

    if (strncmp(t->source, prefix, strlen(prefix)) != 0)
        return 0;
    return strv_push(&f->uuids, n, strdup(t->source + strlen(prefix)));
}

static int collect_uuids(Facts *f) {
    size_t n = 0;

    for (size_t i = 0; i < f->n_blocks; i++)
        for (size_t j = 0; j < f->blocks[i].n_signatures; j++)
            if (f->blocks[i].signatures[j].uuid)
                TRY(strv_push(&f->uuids, &n, strdup(f->blocks[i].signatures[j].uuid)));
    for (size_t i = 0; i < f->n_fstab; i++)
        TRY(add_uuid_of_tab(f, &n, &f->fstab[i]));
    for (size_t i = 0; i < f->n_crypttab; i++)
        TRY(add_uuid_of_tab(f, &n, &f->crypttab[i]));
    return 0;
}

static int gather(const char *mount_point, bool exclusive, Facts *ret) {
    _cleanup_(facts_done) Facts f = {};

    TRY(look_blocks(&f));
    TRY(look_probe(&f, exclusive));
    TRY(complete_arrays(&f));
    TRY(look_mounts(&f));
    TRY(look_swaps(&f));
    mark_root(&f);
    TRY(look_tabs(&f));
    TRY(look_sealed(&f, RECORD_DIRECTORY, UNIT_DIRECTORY));
    TRY(look_programs(&f));
    TRY(collect_uuids(&f));
    if (mount_point) {
        TRY(free_and_strdup(&f.place, mount_point));
        TRY(look_place(&f, mount_point, &f.place_type));
    }
    *ret = f;
    f = (Facts){};
    return 0;
}

int look_gather(const char *mount_point, Facts *ret) {
    return gather(mount_point, true, ret);
}

int look_gather_passive(Facts *ret) {
    return gather(NULL, false, ret);
}
