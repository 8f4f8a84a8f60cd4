/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/memfd-util.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "basic/fd-util.h"

int memfd_new(const char *name, int *ret_fd) {
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return -errno;
    *ret_fd = fd;
    return 0;
}

int memfd_seal(int fd) {
    return fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0
               ? -errno
               : 0;
}

int memfd_new_sealed(const char *name, const void *data, size_t size, int *ret_fd) {
    _cleanup_close_ int fd = -1;
    int r;

    r = memfd_new(name, &fd);
    if (r >= 0)
        r = write_full(fd, data, size);
    if (r >= 0 && lseek(fd, 0, SEEK_SET) < 0)
        r = -errno;
    if (r >= 0)
        r = memfd_seal(fd);
    if (r < 0)
        return r;
    *ret_fd = TAKE_FD(fd);
    return 0;
}
