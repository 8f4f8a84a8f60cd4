/* SPDX-License-Identifier: Apache-2.0 */
/* To be preloaded: for one process time passes ten times as fast, and so do its timers.
 * CLOCK_REALTIME stays as it is. So a test of who waits in vain takes a second and not ten; none of
 * who must be in time. */
#undef _FORTIFY_SOURCE /* with it poll() is defined in its header */
#include <dlfcn.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define SPEED 10
#define NSEC_PER_SEC 1000000000L
#define FD_MAX 4096

static clockid_t clocks[FD_MAX]; /* of timers, by descriptor */

static int is_fast(clockid_t clock) {
    return clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_RAW ||
           clock == CLOCK_MONOTONIC_COARSE || clock == CLOCK_BOOTTIME ||
           clock == CLOCK_BOOTTIME_ALARM;
}

/* Rounded up: a timer that is armed stays so. */
static struct timespec slow(struct timespec t) {
    long rest = t.tv_sec % SPEED * NSEC_PER_SEC + t.tv_nsec;

    return (struct timespec){.tv_sec = t.tv_sec / SPEED, .tv_nsec = (rest + SPEED - 1) / SPEED};
}

EXPORT int clock_gettime(clockid_t clock, struct timespec *ret) {
    long nsec;

    if (syscall(SYS_clock_gettime, clock, ret) < 0)
        return -1;
    if (is_fast(clock)) {
        nsec = ret->tv_nsec * SPEED;
        *ret = (struct timespec){.tv_sec = ret->tv_sec * SPEED + nsec / NSEC_PER_SEC,
                                 .tv_nsec = nsec % NSEC_PER_SEC};
    }
    return 0;
}

EXPORT int timerfd_create(clockid_t clock, int flags) {
    int fd = (int)syscall(SYS_timerfd_create, clock, flags);

    if (fd >= 0 && fd < FD_MAX)
        clocks[fd] = clock;
    return fd;
}

EXPORT int timerfd_settime(int fd, int flags, const struct itimerspec *value,
                           struct itimerspec *ret_old) {
    struct itimerspec slowed = {.it_value = slow(value->it_value),
                                .it_interval = slow(value->it_interval)};

    return (int)syscall(SYS_timerfd_settime, fd, flags,
                        fd >= 0 && fd < FD_MAX && is_fast(clocks[fd]) ? &slowed : value, ret_old);
}

EXPORT int poll(struct pollfd *fds, nfds_t n, int msec) {
    static typeof(&poll) original;

    if (!original)
        original = (typeof(original))dlsym(RTLD_NEXT, "poll");
    return original(fds, n, msec > 0 ? (msec + SPEED - 1) / SPEED : msec);
}

/* What the compiler makes of poll() where it knows the size of the array. */
EXPORT int __poll_chk(struct pollfd *fds, nfds_t n, int msec, size_t size);

EXPORT int __poll_chk(struct pollfd *fds, nfds_t n, int msec, size_t size) {
    return poll(fds, n, msec);
}
