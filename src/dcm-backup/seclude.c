/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-backup/seclude.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "dcm-backup/safe-path.h"

#define ROOT "/tmp" /* is always there, and nobody needs it in this namespace */

static int bind_to(const char *from, const char *to) {
    return mkdir(to, 0755) < 0 || mount(from, to, NULL, MS_BIND | MS_REC, NULL) < 0 ? -errno : 0;
}

/* A directory of the root, or a link to one in /usr. */
static int add_system(const char *path) {
    char to[64], link[PATH_MAX] = "";
    struct stat st;

    (void)snprintf(to, sizeof(to), ROOT "%s", path);
    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISLNK(st.st_mode))
        return bind_to(path, to);
    if (readlink(path, link, sizeof(link) - 1) < 0 || symlink(link, to) < 0)
        return -errno;
    return 0;
}

static int add_programs(void) {
    static const char *const paths[] = {"/usr", "/bin", "/lib", "/lib64"};

    for (size_t i = 0; i < ELEMENTSOF(paths); i++)
        TRY(add_system(paths[i]));
    return 0;
}

static int make_root(int dir_fd) {
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", dir_fd);
    if (mount("tmpfs", ROOT, "tmpfs", 0, "mode=0755") < 0)
        return -errno;
    TRY(add_programs());
    return bind_to(path, ROOT SECLUDED);
}

int seclude(const char *directory) {
    _cleanup_close_ int fd = -1;

    /* first: what is opened in one namespace cannot be mounted in another one */
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return -errno;
    TRY(safe_open_directory(directory, &fd));
    TRY(make_root(fd));
    return chroot(ROOT) < 0 || chdir("/") < 0 ? -errno : 0;
}
