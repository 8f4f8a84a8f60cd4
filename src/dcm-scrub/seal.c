/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-scrub/seal.h"

#include <sys/file.h>
#include <unistd.h>

#include "basic/boot-id.h"
#include "basic/fd-util.h"
#include "basic/file-util.h"
#include "dcm-scrub/bounds.h"

#define DIRECTORY "var/lib/dcm-seal"
#define ORDER DIRECTORY "/order"

int seal_lock(const Beneath *b, int *ret_fd) {
    _cleanup_close_ int fd = -1;
    const int r = beneath_open_directory(b, DIRECTORY, &fd);

    if (r == -ENOENT || r == -ESTALE)
        return 0;
    TRY(r);
    if (flock(fd, LOCK_EX) < 0)
        return -errno;
    *ret_fd = TAKE_FD(fd);
    return 1;
}

/* -ENOENT: there is none. One that cannot be read is of no boot. */
static int read_boot(const Beneath *b, char ret[static BOOT_ID_SIZE]) {
    _cleanup_close_ int parent = -1, fd = -1;
    _cleanup_free_ char *text = NULL;
    const char *name = "";
    size_t size;

    TRY(beneath_open_parent(b, ORDER, &parent, &name));
    TRY(beneath_open_file(parent, name, &fd));
    TRY(read_fd(fd, ORDER_SIZE_MAX, &text, &size));
    memset(ret, 0, BOOT_ID_SIZE);
    if (size >= BOOT_ID_SIZE)
        memcpy(ret, text, BOOT_ID_SIZE - 1);
    return 0;
}

int seal_is_due(const Beneath *b, const char *when) {
    char ordered[BOOT_ID_SIZE], now[BOOT_ID_SIZE];
    int r = read_boot(b, ordered);

    if (r == -ENOENT || r == -ESTALE)
        return 0;
    TRY(r);
    TRY(boot_id_read(now));
    return streq(when, "now") || !streq(ordered, now);
}

int seal_remove_order(const Beneath *b) {
    _cleanup_close_ int parent = -1;
    const char *name = "";
    int r = beneath_open_parent(b, ORDER, &parent, &name);

    if (r >= 0 && (unlinkat(parent, name, 0) < 0 || fsync(parent) < 0))
        r = -errno;
    return r;
}
