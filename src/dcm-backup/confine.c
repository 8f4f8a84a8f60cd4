/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-backup/confine.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "dcm-backup/pins.h"

#define MASK(capability) (UINT64_C(1) << (capability))
/* Attributes of the class trusted are for whoever may administer the system. */
#define READER (MASK(CAP_DAC_READ_SEARCH) | MASK(CAP_SYS_ADMIN))
#define WRITER                                                                                     \
    (READER | MASK(CAP_CHOWN) | MASK(CAP_DAC_OVERRIDE) | MASK(CAP_FOWNER) | MASK(CAP_FSETID) |     \
     MASK(CAP_MKNOD) | MASK(CAP_SETFCAP))

/* What root gets when the program begins; and nothing that is executed gets more. */
static int keep_capabilities(uint64_t kept) {
    for (int i = 0; prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++)
        if (!(kept & MASK(i)) && prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0)
            return -errno;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

static int leave_network(void) {
    return unshare(CLONE_NEWNET | CLONE_NEWIPC) < 0 ? -errno : 0;
}

static int take_mounts(void) {
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return -errno;
    return 0;
}

static int make_read_only(void) {
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};

    return mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &attributes, sizeof(attributes)) < 0 ? -errno
                                                                                           : 0;
}

int confine_filter(const void *nothing) {
    TRY(leave_network());
    TRY(take_mounts());
    TRY(make_read_only());
    return keep_capabilities(0);
}

int confine_reader(bool has_mounts, char *const *paths) {
    TRY(leave_network());
    if (!has_mounts)
        TRY(take_mounts());
    TRY(pins_place(paths));
    TRY(make_read_only());
    return keep_capabilities(READER);
}

/* ".." leads from there to what is read-only, too. */
int confine_writer(int directory_fd) {
    _cleanup_close_ int tree = open_tree(
        directory_fd, "", AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

    if (tree < 0 || fcntl(directory_fd, F_SETFD, FD_CLOEXEC) < 0)
        return -errno;
    TRY(leave_network());
    TRY(take_mounts());
    TRY(make_read_only());
    if (move_mount(tree, "", AT_FDCWD, CONFINED, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return -errno;
    return keep_capabilities(WRITER);
}

int confine_secluded(void) {
    TRY(leave_network());
    TRY(make_read_only());
    return keep_capabilities(READER);
}
