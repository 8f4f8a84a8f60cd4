/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-service/turn.h"

#include <sys/file.h>

#include "basic/fd-util.h"
#include "basic/log.h"
#include "service/service-id.h"
#include "service/service-turn.h"

int turn_take(const char *id, const char *who, int *ret_fd) {
    _cleanup_free_ char *holder = NULL;
    const int r = service_turn_take(id, who, ret_fd, &holder);

    if (r == -EBUSY)
        log_error("Another request about %s is at work: %s; try again when it has ended",
                  service_id_is_valid(id) ? id : "all services", holder ?: "it does not say which");
    else if (r < 0)
        log_error_errno(r, "The turn of %s cannot be had: %m", id);
    return r;
}

int turn_wait(const char *id, int *ret_fd) {
    _cleanup_close_ int fd = -1;
    int r;

    r = service_turn_open(id, ".start", &fd);
    while (r >= 0 && flock(fd, LOCK_EX) < 0)
        if (errno != EINTR)
            r = -errno;
    if (r < 0)
        return log_error_errno(r, "The turn of %s cannot be waited for: %m", id);
    *ret_fd = TAKE_FD(fd);
    return 0;
}
