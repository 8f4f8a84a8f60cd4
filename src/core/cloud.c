/* SPDX-License-Identifier: Apache-2.0 */
#include "core/cloud.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/log-fields.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "basic/timer.h"

#define AGAIN_USEC_MIN (30 * USEC_PER_SEC)
#define AGAIN_USEC_MAX (3600 * USEC_PER_SEC)
#define ANSWER_OLD_USEC (600 * USEC_PER_SEC) /* the network may have changed since */

struct Cloud {
    sd_event *event;
    const char *socket_path;
    CloudAnswer on_answer;
    void *userdata;
    sd_event_source *io, *timer; /* the timer: timeout of a query, or the next query */
    bool asking, settled;
    uint64_t again_usec;
    uint64_t answered_usec; /* CLOCK_BOOTTIME */
    bool network_was_up;
    char answer[CLOUD_ANSWER_MAX];
    size_t size;
    CloudIdentity identity;
};

static void hang_up(Cloud *c) {
    c->io = sd_event_source_disable_unref(c->io);
    c->asking = false;
    c->size = 0;
}

/* The metadata service may become available late, as networks do. On a server without cloud it
 * never will. */
static void ask_again_later(Cloud *c) {
    if (timer_arm_in(c->timer, c->again_usec) >= 0)
        c->again_usec = MIN(c->again_usec * 2, AGAIN_USEC_MAX);
}

static int take_answer(Cloud *c) {
    CloudIdentity identity = {};

    TRY(cloud_identity_parse(c->answer, c->size, &identity));
    return (int)cloud_identity_replace(&c->identity, &identity);
}

static void end(Cloud *c, int r) {
    if (r >= 0)
        r = take_answer(c);
    hang_up(c);
    c->settled = true;
    c->answered_usec = now_usec(CLOCK_BOOTTIME);
    if (r < 0 ? r != -ENOENT : !!c->identity.problem)
        ask_again_later(c);
    else
        timer_disarm(c->timer);
    c->on_answer(r, c->userdata);
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata) {
    Cloud *c = userdata;
    ssize_t n;

    n = read(fd, c->answer + c->size, sizeof(c->answer) - c->size);
    if (n < 0) {
        if (errno != EAGAIN && errno != EINTR)
            end(c, -errno);
        return 0;
    }
    c->size += (size_t)n;
    if (n == 0)
        end(c, 0);
    else if (c->size == sizeof(c->answer))
        end(c, -EMSGSIZE);
    return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    Cloud *c = userdata;

    if (c->asking)
        end(c, -ETIMEDOUT);
    else
        (void)cloud_ask(c);
    return 0;
}

int cloud_new(sd_event *event, const char *socket_path, CloudAnswer on_answer, void *userdata,
              Cloud **ret) {
    _cleanup_(cloud_freep) Cloud *c = calloc(1, sizeof(*c));

    if (!c)
        return -ENOMEM;
    c->event = sd_event_ref(event);
    c->socket_path = socket_path;
    c->on_answer = on_answer;
    c->userdata = userdata;
    c->again_usec = AGAIN_USEC_MIN;
    TRY(timer_new(event, USEC_PER_SEC, on_timer, c, &c->timer));
    *ret = TAKE_PTR(c);
    return 0;
}

Cloud *cloud_free(Cloud *c) {
    if (!c)
        return NULL;
    hang_up(c);
    sd_event_source_disable_unref(c->timer);
    cloud_identity_done(&c->identity);
    sd_event_unref(c->event);
    free(c);
    return NULL;
}

static int dial(Cloud *c) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    _cleanup_close_ int fd = -1;
    int r;

    if (strlen(c->socket_path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    (void)stpcpy(address.sun_path, c->socket_path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return -errno;
    r = sd_event_add_io(c->event, &c->io, fd, EPOLLIN, on_io, c);
    if (r >= 0)
        r = sd_event_source_set_io_fd_own(c->io, true);
    if (r >= 0)
        TAKE_FD(fd);
    return r;
}

int cloud_ask(Cloud *c) {
    int r;

    hang_up(c);
    c->asking = true;
    r = dial(c);
    if (r >= 0)
        return timer_arm_in(c->timer, CLOUD_WAIT_USEC);
    end(c, r == -ECONNREFUSED ? -ENOENT : r); /* a stale socket file */
    return 0;
}

void cloud_network_is_up(Cloud *c) {
    bool is_old = now_usec(CLOCK_BOOTTIME) - c->answered_usec > ANSWER_OLD_USEC;

    if (c->settled && !c->asking && c->identity.type && streq(c->identity.type, "UNKNOWN") &&
        (!c->network_was_up || is_old))
        (void)cloud_ask(c);
    c->network_was_up = true;
}

void cloud_log(const Cloud *c, int answer) {
    const CloudIdentity *i = &c->identity;

    if (answer < 0)
        (void)log_struct(answer == -ENOENT ? LOG_DEBUG : LOG_WARNING, answer,
                         LOG_FIELDS(LOG_ID(DCM_MESSAGE_CLOUD_PROBLEM)),
                         "dcm-cloud did not answer: %m");
    if (answer > CLOUD_CHANGE_NONE && i->problem)
        (void)log_struct(LOG_WARNING, 0, LOG_FIELDS(LOG_ID(DCM_MESSAGE_CLOUD_PROBLEM)),
                         "%s; retrying later", i->problem);
    if (answer == CLOUD_CHANGE_OFFER && i->instance_id)
        (void)log_struct(LOG_INFO, 0, LOG_FIELDS(LOG_ID(DCM_MESSAGE_CLOUD_IDENTITY)),
                         "The cloud %s identifies this server as %s", i->type, i->instance_id);
}

const CloudIdentity *cloud_get_identity(const Cloud *c) {
    return &c->identity;
}

bool cloud_is_settled(const Cloud *c) {
    return c->settled;
}
