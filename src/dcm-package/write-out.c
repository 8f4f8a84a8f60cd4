/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-package/write-out.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/log.h"

/* Not sync(2): that waits for each dead file server. */
void write_out(void) {
    static const char *const places[] = {"/", "/usr", "/etc", "/var", "/opt", "/boot", "/boot/efi"};

    for (size_t i = 0; i < ELEMENTSOF(places); i++) {
        _cleanup_close_ int fd = open(places[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd >= 0 && syncfs(fd) < 0)
            (void)log_warning_errno(
                errno, "What packages changed in %s is not surely on the disk: %m", places[i]);
    }
}
