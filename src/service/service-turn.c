/* SPDX-License-Identifier: Apache-2.0 */
#include "service/service-turn.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd-util.h"

#define HOLDER_MAX 128

/* Who removed it would let two others lock two files of the same name. */
int service_turn_open(const char *id, const char *suffix, int *ret_fd) {
    _cleanup_free_ char *path = NULL;
    int fd;

    if (mkdir(SERVICES_RUN, 0755) < 0 && errno != EEXIST)
        return -errno;
    if (asprintf(&path, SERVICES_RUN "/%s%s", id, suffix) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    *ret_fd = fd;
    return 0;
}

/* Of who has the turn; of the one before until that has written it. */
static char *read_holder(int fd) {
    char text[HOLDER_MAX] = "";
    const ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

    return n > 0 ? strdup(text) : NULL;
}

/* That it cannot be written harms nobody. */
static void write_holder(int fd, const char *who) {
    char text[HOLDER_MAX];
    const int n = snprintf(text, sizeof(text), "%s, process %d", who, getpid());

    if (ftruncate(fd, 0) == 0)
        (void)!pwrite(fd, text, (size_t)MIN(n, HOLDER_MAX - 1), 0);
}

int service_turn_take(const char *id, const char *who, int *ret_fd, char **ret_holder) {
    _cleanup_close_ int fd = -1;

    *ret_holder = NULL;
    TRY(service_turn_open(id, ".lock", &fd));
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK)
            return -errno;
        *ret_holder = read_holder(fd);
        return -EBUSY;
    }
    write_holder(fd, who);
    *ret_fd = TAKE_FD(fd);
    return 0;
}
