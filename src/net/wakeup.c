/* SPDX-License-Identifier: Apache-2.0 */
#include "net/wakeup.h"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/log.h"
#include "basic/ratelimit.h"
#include "basic/timer.h"

#define SETTLE_USEC (200 * USEC_PER_MSEC)
#define BURST 5u
#define INTERVAL_USEC (60 * USEC_PER_SEC)
#define FAR_FUTURE_SEC ((time_t)((UINT64_C(1) << (sizeof(time_t) * 8 - 1)) - 1))

struct Wakeup {
    sd_event *event;
    WakeupCallbacks callbacks;
    void *userdata;
    int netlink_fd, clock_fd;
    sd_event_source *netlink_source, *clock_source;
    sd_event_source *settle_timer; /* armed while changes are collected */
    bool clock_changed;            /* among the collected changes */
    RateLimit limit;
};

static bool is_worth_while(const struct nlmsghdr *h) {
    const struct ifinfomsg *link = NLMSG_DATA(h);
    const struct ifaddrmsg *address = NLMSG_DATA(h);
    const struct rtmsg *route = NLMSG_DATA(h);

    switch (h->nlmsg_type) {
    case RTM_NEWLINK:
        return h->nlmsg_len >= NLMSG_LENGTH(sizeof(*link)) && (link->ifi_flags & IFF_RUNNING) &&
               !(link->ifi_flags & IFF_LOOPBACK);
    case RTM_NEWADDR: /* for IPv6 another one follows after duplicate address detection */
        return h->nlmsg_len >= NLMSG_LENGTH(sizeof(*address)) &&
               !(address->ifa_flags & IFA_F_TENTATIVE);
    case RTM_NEWROUTE:
        return h->nlmsg_len >= NLMSG_LENGTH(sizeof(*route)) && route->rtm_type == RTN_UNICAST &&
               !(route->rtm_flags & RTM_F_CLONED);
    default:
        return false;
    }
}

static void settle(Wakeup *w) {
    if (!timer_is_armed(w->settle_timer))
        (void)timer_arm_in(w->settle_timer, SETTLE_USEC);
}

static int on_netlink(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    union {
        struct nlmsghdr header;
        char bytes[16 * 1024];
    } buf;
    Wakeup *w = userdata;

    for (;;) {
        ssize_t n = recv(fd, &buf, sizeof(buf), MSG_DONTWAIT);
        const struct nlmsghdr *h = &buf.header;

        if (n < 0 && errno == ENOBUFS) { /* the kernel dropped some */
            settle(w);
            continue;
        }
        if (n < 0)
            return 0;
        for (int left = (int)n; NLMSG_OK(h, (unsigned)left); h = NLMSG_NEXT(h, left))
            if (is_worth_while(h))
                settle(w);
    }
}

static int on_settled(sd_event_source *source, uint64_t usec, void *userdata) {
    Wakeup *w = userdata;
    unsigned missed;

    bool clock_changed = w->clock_changed;

    w->clock_changed = false;
    if (!ratelimit_below(&w->limit, &missed))
        return 0;
    if (clock_changed)
        w->callbacks.on_clock(w->userdata);
    else
        w->callbacks.on_network(w->userdata);
    return 0;
}

/* The timer never expires; a step of the clock cancels it. */
static int arm_clock(int fd) {
    const struct itimerspec never = {.it_value.tv_sec = FAR_FUTURE_SEC};

    return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) < 0
               ? -errno
               : 0;
}

static int on_clock(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    Wakeup *w = userdata;
    uint64_t n;

    if (read(fd, &n, sizeof(n)) >= 0 || errno != ECANCELED)
        return 0;
    (void)arm_clock(fd);
    w->clock_changed = true;
    settle(w);
    return 0;
}

static int open_netlink(Wakeup *w) {
    const struct sockaddr_nl address = {
        .nl_family = AF_NETLINK,
        .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE |
                     RTMGRP_IPV6_ROUTE,
    };

    w->netlink_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (w->netlink_fd < 0 ||
        bind(w->netlink_fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return -errno;
    return sd_event_add_io(w->event, &w->netlink_source, w->netlink_fd, EPOLLIN, on_netlink, w);
}

static int open_clock(Wakeup *w) {
    w->clock_fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (w->clock_fd < 0)
        return -errno;
    TRY(arm_clock(w->clock_fd));
    return sd_event_add_io(w->event, &w->clock_source, w->clock_fd, EPOLLIN, on_clock, w);
}

void wakeup_enable(Wakeup *w) {
    int r;

    if (w->netlink_fd < 0) {
        r = open_netlink(w);
        if (r < 0) {
            (void)log_debug_errno(r, "Changes of the network cannot be followed: %m");
            w->netlink_fd = safe_close(w->netlink_fd);
        }
    }
    if (w->clock_fd < 0) {
        r = open_clock(w);
        if (r < 0) {
            (void)log_debug_errno(r, "Changes of the clock cannot be followed: %m");
            w->clock_fd = safe_close(w->clock_fd);
        }
    }
}

void wakeup_disable(Wakeup *w) {
    w->netlink_source = sd_event_source_disable_unref(w->netlink_source);
    w->clock_source = sd_event_source_disable_unref(w->clock_source);
    w->netlink_fd = safe_close(w->netlink_fd);
    w->clock_fd = safe_close(w->clock_fd);
    timer_disarm(w->settle_timer);
}

void wakeup_reset(Wakeup *w) {
    w->limit.begin_usec = 0;
}

Wakeup *wakeup_free(Wakeup *w) {
    if (!w)
        return NULL;
    wakeup_disable(w);
    sd_event_source_disable_unref(w->settle_timer);
    free(w);
    return NULL;
}

int wakeup_new(sd_event *event, const WakeupCallbacks *callbacks, void *userdata, Wakeup **ret) {
    _cleanup_(wakeup_freep) Wakeup *w = calloc(1, sizeof(*w));

    if (!w)
        return -ENOMEM;
    w->event = event;
    w->callbacks = *callbacks;
    w->userdata = userdata;
    w->netlink_fd = w->clock_fd = -1;
    w->limit = (RateLimit){.interval_usec = INTERVAL_USEC, .burst = BURST};
    TRY(timer_new(event, 1, on_settled, w, &w->settle_timer));
    *ret = TAKE_PTR(w);
    return 0;
}
