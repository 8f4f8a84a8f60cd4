/* SPDX-License-Identifier: Apache-2.0 */
/* A server under test, and a peer of it that says what the input says, in whatever pieces: each
 * 0xff ends one write, and is not sent itself. Both are this process, on one loop. */
#pragma once

#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-event.h>

#include "fuzz.h"

#define FUZZ_WRITE_END 0xff

/* A listening socket, of a name that the kernel chooses and that is in no file system. */
static inline int fuzz_listen(void) {
    const struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    CHECK(fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof(sa_family_t)) == 0);
    CHECK(listen(fd, 8) == 0);
    return fd;
}

static inline int fuzz_connect(int listen_fd) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_un address;
    socklen_t size = sizeof(address);

    CHECK(fd >= 0 && getsockname(listen_fd, (struct sockaddr *)&address, &size) == 0);
    CHECK(connect(fd, (const struct sockaddr *)&address, size) == 0);
    return fd;
}

/* What was answered. */
typedef struct FuzzAnswers {
    char *data;
    size_t size;
} FuzzAnswers;

static inline void fuzz_answers_done(FuzzAnswers *a) {
    free(a->data);
}

/* All that is there until nothing more happens. */
static inline void fuzz_run(sd_event *event, int fd, FuzzAnswers *a) {
    ssize_t n;

    do {
        while (sd_event_run(event, 0) > 0)
            ;
        a->data = realloc(a->data, a->size + 65536);
        CHECK(a->data);
        n = recv(fd, a->data + a->size, 65536, 0);
        a->size += n > 0 ? (size_t)n : 0;
    } while (n > 0);
}

/* false: the server takes no more. */
static inline bool fuzz_write(sd_event *event, int fd, const uint8_t *data, size_t size,
                              FuzzAnswers *a) {
    while (size > 0) {
        ssize_t n = send(fd, data, size, MSG_NOSIGNAL);

        CHECK(n >= 0 || errno == EAGAIN || errno == EPIPE || errno == ECONNRESET);
        if (n < 0 && errno != EAGAIN)
            return false;
        data += MAX(n, (ssize_t)0);
        size -= (size_t)MAX(n, (ssize_t)0);
        fuzz_run(event, fd, a);
        if (n < 0 && send(fd, data, 0, MSG_NOSIGNAL) < 0)
            return false;
    }
    return true;
}

/* One connection from its begin to its end. */
static inline void fuzz_talk(sd_event *event, int listen_fd, const uint8_t *data, size_t size,
                             FuzzAnswers *ret) {
    int fd = fuzz_connect(listen_fd);
    bool goes_on = true;

    for (size_t i = 0, n; i < size && goes_on; i += n + 1) {
        const uint8_t *end = memchr(data + i, FUZZ_WRITE_END, size - i);

        n = (end ? (size_t)(end - data) : size) - i;
        goes_on = fuzz_write(event, fd, data + i, n, ret);
    }
    fuzz_run(event, fd, ret);
    CHECK(close(fd) == 0);
    while (sd_event_run(event, 0) > 0)
        ;
}
