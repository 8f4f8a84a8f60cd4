/* SPDX-License-Identifier: Apache-2.0 */
/* To be preloaded: moves CLOCK_REALTIME of one process by the seconds, an int64_t, that the file
 * $WALL_CLOCK has at that moment. All other clocks and timers stay as they are. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static int64_t offset(void) {
    static const volatile int64_t *mapped;

    if (!mapped) {
        const char *path = getenv("WALL_CLOCK");
        int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        void *p = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*mapped), PROT_READ, MAP_SHARED, fd, 0);

        if (p == MAP_FAILED)
            abort();
        (void)close(fd);
        mapped = p;
    }
    return *mapped;
}

EXPORT int clock_gettime(clockid_t clock, struct timespec *ret) {
    long r = syscall(SYS_clock_gettime, clock, ret);

    if (r < 0)
        return -1;
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)
        ret->tv_sec += offset();
    return 0;
}

EXPORT int gettimeofday(struct timeval *restrict ret, void *restrict zone) {
    struct timespec now;

    if (clock_gettime(CLOCK_REALTIME, &now) < 0)
        return -1;
    *ret = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
    return 0;
}

EXPORT time_t time(time_t *ret) {
    struct timespec now;

    if (clock_gettime(CLOCK_REALTIME, &now) < 0)
        return -1;
    if (ret)
        *ret = now.tv_sec;
    return now.tv_sec;
}
