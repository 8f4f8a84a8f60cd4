/* SPDX-License-Identifier: Apache-2.0 */
/* One message, with a letter for each descriptor in it. */
#include "basic/job-files.h"

#include <sys/socket.h>

#include "basic/fd-util.h"

typedef struct Place {
    size_t offset;
    char letter;
    bool needed;
} Place;

static const Place places[] = {
    {offsetof(JobFiles, record_fd), 'r', true},
    {offsetof(JobFiles, log_fd), 'l', true},
    {offsetof(JobFiles, pipe_fd), 'p', true},
    {offsetof(JobFiles, input_fd), 'i', false},
};

typedef union Control {
    struct cmsghdr header;
    char data[CMSG_SPACE(ELEMENTSOF(places) * sizeof(int))];
} Control;

static int *fd_at(JobFiles *f, const Place *p) {
    return (int *)((char *)f + p->offset);
}

void job_files_done(JobFiles *f) {
    for (size_t i = 0; i < ELEMENTSOF(places); i++)
        *fd_at(f, &places[i]) = safe_close(*fd_at(f, &places[i]));
}

static int send_fds(int fd, const char *letters, const int *fds, size_t n) {
    Control control = {};
    struct iovec iov = {.iov_base = (char *)letters, .iov_len = n};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = CMSG_SPACE(n * sizeof(int))};

    control.header = (struct cmsghdr){
        .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(n * sizeof(int))};
    memcpy(CMSG_DATA(&control.header), fds, n * sizeof(int));
    return sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

int job_files_send(const JobFiles *f) {
    _cleanup_close_ int ours = -1, theirs = -1;
    char letters[ELEMENTSOF(places)];
    int fds[ELEMENTSOF(places)], pair[2];
    size_t n = 0;

    for (size_t i = 0; i < ELEMENTSOF(places); i++) {
        int fd = *fd_at((JobFiles *)f, &places[i]);

        if (fd < 0)
            continue;
        letters[n] = places[i].letter;
        fds[n++] = fd;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    ours = pair[0];
    theirs = pair[1];
    TRY(send_fds(ours, letters, fds, n));
    return TAKE_FD(theirs);
}

static const Place *find_place(char letter) {
    for (size_t i = 0; i < ELEMENTSOF(places); i++)
        if (places[i].letter == letter)
            return &places[i];
    return NULL;
}

/* Whatever the letters are, every descriptor gets an owner here. */
static int sort_fds(const char *letters, size_t n_letters, const int *fds, size_t n, JobFiles *f) {
    int r = n_letters == n ? 0 : -EBADMSG;

    for (size_t i = 0; i < n; i++) {
        const Place *p = i < n_letters ? find_place(letters[i]) : NULL;

        if (p && *fd_at(f, p) < 0)
            *fd_at(f, p) = fds[i];
        else {
            safe_close(fds[i]);
            r = -EBADMSG;
        }
    }
    for (size_t i = 0; i < ELEMENTSOF(places); i++)
        if (places[i].needed && *fd_at(f, &places[i]) < 0)
            r = -EBADMSG;
    return r;
}

int job_files_receive(int socket_fd, JobFiles *ret) {
    char letters[ELEMENTSOF(places)];
    int fds[ELEMENTSOF(places)], r;
    JobFiles f = JOB_FILES_INIT;
    Control control = {};
    struct iovec iov = {.iov_base = letters, .iov_len = sizeof(letters)};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof(control)};
    const struct cmsghdr *header;
    size_t n_fds = 0;
    ssize_t n;

    n = recvmsg(socket_fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0)
        return errno == EAGAIN ? -EBADMSG : -errno;
    header = CMSG_FIRSTHDR(&m);
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
        n_fds = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(fds, CMSG_DATA(header), n_fds * sizeof(int));
    }
    r = sort_fds(letters, (size_t)n, fds, n_fds, &f);
    if (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
        r = -EBADMSG;
    if (r < 0) {
        job_files_done(&f);
        return r;
    }
    *ret = f;
    return 0;
}
