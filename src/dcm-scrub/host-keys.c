/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-scrub/host-keys.h"

#include <fcntl.h>
#include <unistd.h>

#include "basic/fd-util.h"

#define UNITS "usr/lib/systemd/system/"
#define OURS "dcm-host-keys.service"

static bool has(const Beneath *b, const char *path) {
    _cleanup_close_ int parent = -1;
    const char *name = "";
    struct stat st;

    return beneath_open_parent(b, path, &parent, &name) >= 0 &&
           fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) >= 0;
}

/* As `systemctl add-wants` does. */
static int make_wanted(const Beneath *b, const char *directory) {
    _cleanup_close_ int units = -1, wants = -1;

    TRY(beneath_open_directory(b, "etc/systemd/system", &units));
    if (mkdirat(units, directory, 0755) < 0 && errno != EEXIST)
        return -errno;
    if (fchmodat(units, directory, 0755, 0) < 0) /* whatever the umask is */
        return -errno;
    TRY(beneath_enter(b, units, directory, directory, &wants));
    if (symlinkat("/" UNITS OURS, wants, OURS) < 0 && errno != EEXIST)
        return -errno;
    return fsync(wants) < 0 || fsync(units) < 0 ? -errno : 0;
}

int host_keys_arrange(const Beneath *b) {
    if (!has(b, UNITS OURS) || has(b, UNITS "sshd-keygen.target") ||
        has(b, UNITS "sshd-keygen@.service") || has(b, UNITS "sshd-keygen.service") ||
        has(b, UNITS "sshdgenkeys.service"))
        return 0;
    if (has(b, UNITS "ssh.service"))
        TRY(make_wanted(b, "ssh.service.wants"));
    return has(b, UNITS "ssh.socket") ? make_wanted(b, "ssh.socket.wants") : 0;
}
