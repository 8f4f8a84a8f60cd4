/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/log-sink.h"

#include <linux/sockios.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "basic/bounds.h"

#define LOSS_SIZE 1024
#define DRAIN_LOOKS 100
#define DRAIN_USEC 10000 /* between two looks */

typedef uint32_t EntrySize; /* precedes each queued entry */

static struct {
    int fd;
    const char *journal_path;
    LogLossFormat format;
    char *waiting; /* NULL: none */
    size_t used, sent;
    uint64_t n_lost;
    sd_event *event;
    sd_event_source *room;
} sink = {.fd = -1};

static int on_room(sd_event_source *source, int fd, uint32_t revents, void *userdata);

void log_sink_set(int fd, const char *journal_path, LogLossFormat format) {
    sink.fd = fd;
    sink.journal_path = journal_path;
    sink.format = format;
}

/* Called again after each restart of journald.socket. */
static int connect_journal(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(sink.journal_path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, sink.journal_path, strlen(sink.journal_path) + 1);
    return connect(sink.fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

/* Pipes and terminals have no flag for a single non-blocking write; entries are shorter than
 * PIPE_BUF, so a ready one takes all of an entry. */
static int write_text(const char *entry, size_t size) {
    struct pollfd p = {.fd = sink.fd, .events = POLLOUT};

    if (poll(&p, 1, 0) <= 0)
        return -EAGAIN;
    return write(sink.fd, entry, size) < 0 ? -errno : 0;
}

static int send_entry(const char *entry, size_t size) {
    int r = 0;

    for (unsigned tries = 0; r >= 0 && tries < 2; tries++) {
        if (send(sink.fd, entry, size, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
            return 0;
        if (errno == ENOTSOCK)
            return write_text(entry, size);
        r = -errno;
        if (tries == 0 && sink.journal_path && (r == -ENOTCONN || r == -ECONNREFUSED))
            r = connect_journal();
    }
    return r;
}

/* A later attempt may succeed. */
static bool is_temporary(int error) {
    return error == -EAGAIN || error == -ECONNREFUSED || error == -ENOTCONN || error == -ENOENT;
}

/* Watches only a socket that has a reader: one without a reader is always ready. */
static void await_room(int error) {
    if (!sink.event || error != -EAGAIN)
        return;
    if (!sink.room && sd_event_add_io(sink.event, &sink.room, sink.fd, EPOLLOUT, on_room, NULL) < 0)
        return;
    (void)sd_event_source_set_enabled(sink.room, SD_EVENT_ONESHOT);
}

/* Oldest first. 0: the queue is empty. */
static int send_waiting(void) {
    while (sink.sent < sink.used) {
        EntrySize size;
        int r;

        memcpy(&size, sink.waiting + sink.sent, sizeof(size));
        r = send_entry(sink.waiting + sink.sent + sizeof(size), size);
        if (is_temporary(r))
            return r;
        sink.n_lost += r < 0;
        sink.sent += sizeof(size) + size;
    }
    free(TAKE_PTR(sink.waiting));
    sink.used = sink.sent = 0;
    return 0;
}

static int tell_loss(void) {
    char buf[LOSS_SIZE];
    int r = 0;

    if (sink.n_lost > 0)
        r = send_entry(buf, sink.format(sink.n_lost, buf, sizeof(buf)));
    if (r >= 0)
        sink.n_lost = 0;
    return r;
}

static int send_all(void) {
    int r = send_waiting();

    return r < 0 ? r : tell_loss();
}

static int on_room(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    await_room(send_all());
    return 0;
}

static bool keep(const char *entry, size_t size) {
    const EntrySize n = (EntrySize)size;

    if (sizeof(n) + size > LOG_WAITING_MAX - sink.used)
        return false;
    if (!sink.waiting)
        sink.waiting = malloc(LOG_WAITING_MAX);
    if (!sink.waiting)
        return false;
    memcpy(sink.waiting + sink.used, &n, sizeof(n));
    memcpy(sink.waiting + sink.used + sizeof(n), entry, size);
    sink.used += sizeof(n) + size;
    return true;
}

void log_sink_put(const char *entry, size_t size) {
    int r = send_all();

    if (r >= 0)
        r = send_entry(entry, size);
    if (r >= 0)
        return;
    /* after a loss all entries are lost until the loss is reported, which keeps their order true */
    if (sink.n_lost > 0 || !is_temporary(r) || !keep(entry, size))
        sink.n_lost++;
    await_room(r);
}

void log_sink_set_event(sd_event *event) {
    sink.room = sd_event_source_disable_unref(sink.room);
    sink.event = event;
}

void log_sink_drain(void) {
    int unread = 0;

    for (unsigned i = 0; sink.journal_path && i < DRAIN_LOOKS; i++) {
        if (ioctl(sink.fd, SIOCOUTQ, &unread) < 0 || unread == 0)
            return;
        (void)usleep(DRAIN_USEC);
    }
}
