/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-service/turn.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/log.h"
#include "dcm-service/directory.h"
#include "service/service-id.h"

/* The file stays: who removed it would let two others lock two files of the same name. */
static int open_file(const char *id, const char *suffix, int *ret_fd) {
    _cleanup_free_ char *path = NULL;
    int fd;

    if (mkdir(SERVICES_RUN, 0755) < 0 && errno != EEXIST)
        return log_error_errno(errno, SERVICES_RUN " cannot be made: %m");
    if (asprintf(&path, SERVICES_RUN "/%s%s", id, suffix) < 0)
        return -ENOMEM;
    fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return log_error_errno(errno, "%s cannot be opened: %m", path);
    *ret_fd = fd;
    return 0;
}

int turn_take(const char *id, int *ret_fd) {
    _cleanup_close_ int fd = -1;

    TRY(open_file(id, ".lock", &fd));
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        log_error("Another request about %s is at work; try again when it has ended",
                  service_id_is_valid(id) ? id : "all services");
        return -EBUSY;
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int turn_wait(const char *id, int *ret_fd) {
    _cleanup_close_ int fd = -1;

    TRY(open_file(id, ".start", &fd));
    while (flock(fd, LOCK_EX) < 0)
        if (errno != EINTR)
            return log_error_errno(errno, "The turn of %s cannot be waited for: %m", id);
    *ret_fd = TAKE_FD(fd);
    return 0;
}
