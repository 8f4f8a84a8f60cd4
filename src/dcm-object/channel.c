/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-object/channel.h"

#include <sys/socket.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"

typedef union Control {
    struct cmsghdr header;
    char data[CMSG_SPACE(CHANNEL_FDS_MAX * sizeof(int))];
} Control;

void channel_message_done(ChannelMessage *m) {
    for (size_t i = 0; i < m->n_fds; i++)
        safe_close(m->fds[i]);
    if (m->text)
        explicit_bzero(m->text, m->size);
    free(m->text);
    *m = (ChannelMessage){};
}

int channel_send(int socket, ChannelType type, const char *text, size_t size, const int *fds,
                 size_t n_fds) {
    char letter = (char)type;
    struct iovec iov[] = {{&letter, 1}, {(void *)(uintptr_t)text, size}};
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = ELEMENTSOF(iov)};
    Control control = {};

    assert(n_fds <= CHANNEL_FDS_MAX);
    if (n_fds > 0) {
        m.msg_control = &control;
        m.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
        control.header = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
                                          .cmsg_type = SCM_RIGHTS,
                                          .cmsg_len = CMSG_LEN(n_fds * sizeof(int))};
        memcpy(CMSG_DATA(&control.header), fds, n_fds * sizeof(int));
    }
    return sendmsg(socket, &m, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int channel_send_strings(int socket, ChannelType type, char *const *list, const int *fds,
                         size_t n_fds) {
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    char *end;
    int r;

    for (char *const *s = list; s && *s; s++)
        size += strlen(*s) + 1;
    text = end = malloc(size + 1);
    if (!text)
        return -ENOMEM;
    for (char *const *s = list; s && *s; s++)
        end = stpcpy(end, *s) + 1;
    r = channel_send(socket, type, text, size, fds, n_fds);
    explicit_bzero(text, size);
    return r;
}

static void take_fds(const struct msghdr *m, ChannelMessage *message) {
    const struct cmsghdr *header = CMSG_FIRSTHDR(m);

    if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
        return;
    message->n_fds = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(message->fds, CMSG_DATA(header), message->n_fds * sizeof(int));
}

static int take_text(const char *data, size_t size, ChannelMessage *message) {
    message->type = (ChannelType)data[0];
    message->size = size - 1;
    message->text = calloc(1, size);
    if (!message->text)
        return -ENOMEM;
    memcpy(message->text, data + 1, size - 1);
    return 0;
}

/* `data` has room for OBJECT_CHANNEL_MAX bytes. */
static int receive(int socket, char *data, ChannelMessage *ret) {
    _cleanup_(channel_message_done) ChannelMessage message = {};
    Control control = {};
    struct iovec iov = {.iov_base = data, .iov_len = OBJECT_CHANNEL_MAX};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof(control)};
    ssize_t n;
    int r;

    do
        n = recvmsg(socket, &m, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return n < 0 && errno != ECONNRESET ? -errno : 0;
    take_fds(&m, &message);
    r = m.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ? -EBADMSG : take_text(data, (size_t)n, &message);
    explicit_bzero(data, (size_t)n);
    if (r < 0)
        return r;
    *ret = message;
    message = (ChannelMessage){};
    return 1;
}

int channel_receive(int socket, ChannelMessage *ret) {
    _cleanup_free_ char *data = malloc(OBJECT_CHANNEL_MAX);

    return data ? receive(socket, data, ret) : -ENOMEM;
}

int channel_strings(const ChannelMessage *m, char ***ret) {
    char **list, *p = m->text;
    size_t n = 0;

    for (size_t i = 0; i < m->size; i++)
        n += m->text[i] == 0;
    if (m->size > 0 && m->text[m->size - 1] != 0)
        return -EBADMSG;
    list = calloc(n + 1, sizeof(char *));
    if (!list)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++, p += strlen(p) + 1)
        list[i] = p;
    *ret = list;
    return 0;
}
