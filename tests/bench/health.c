/* SPDX-License-Identifier: Apache-2.0 */
/* What sampling costs, without waiting for it: time of a reading of everything, and of each source,
 * and the memory that samples take when they come and go. */
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/time-util.h"
#include "health/health.h"

#define TICKS 2000u
#define SAMPLES 100000u
#define HOLD 100u
#define WARM_UP 10000u

/* In place of libc's: a second goes by with each tick, so that there are rates. */
static uint64_t skipped_sec;

int clock_gettime(clockid_t clock, struct timespec *ts) {
    int r = (int)syscall(SYS_clock_gettime, clock, ts);

    if (clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME)
        ts->tv_sec += (time_t)skipped_sec;
    return r;
}

static void tick(Health *h) {
    skipped_sec++;
    health_sample(h, USEC_PER_SEC);
}

static uint64_t cpu_usec(void) {
    return now_usec(CLOCK_PROCESS_CPUTIME_ID);
}

static uint64_t resident_kib(void) {
    unsigned long size = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (!f || fscanf(f, "%lu %lu", &size, &resident) != 2)
        abort();
    (void)fclose(f);
    return resident * 4;
}

static uint64_t allocated_bytes(void) {
    struct mallinfo2 m = mallinfo2();

    return m.uordblks + m.hblkhd;
}

static void add(Health *h, const char *type, size_t hold) {
    const StatDefinition d = {
        .name = type,
        .type = stat_type_find(type),
        .hold = hold,
        .interval_usec = USEC_PER_SEC,
    };

    if (health_add(h, &d, NULL) < 0)
        abort();
}

static void add_all(Health *h, size_t hold) {
    size_t n;
    const StatType *types = stat_type_table(&n);

    for (size_t i = 0; i < n; i++)
        add(h, types[i].name, hold);
}

static double measure(Health *h) {
    uint64_t before;

    tick(h);
    before = cpu_usec();
    for (unsigned i = 0; i < TICKS; i++)
        tick(h);
    return (double)(cpu_usec() - before) / TICKS;
}

static void show(sd_event *event, const char *root, const char *type) {
    _cleanup_(health_freep) Health *h = NULL;

    if (health_new(event, root, &h) < 0)
        abort();
    if (type)
        add(h, type, HOLD);
    else
        add_all(h, HOLD);
    (void)printf("  %-18s %8.1f us\n", type ?: "all of them", measure(h));
}

static void show_memory(sd_event *event, const char *root) {
    _cleanup_(health_freep) Health *h = NULL;
    uint64_t heap, resident;

    if (health_new(event, root, &h) < 0)
        abort();
    add_all(h, HOLD);
    for (unsigned i = 0; i < WARM_UP; i++)
        tick(h);
    heap = allocated_bytes();
    resident = resident_kib();
    for (unsigned i = 0; i < SAMPLES; i++)
        tick(h);
    (void)printf("memory after %u more samples of each type: heap %+" PRId64
                 " bytes, resident %+" PRId64 " KiB (%" PRIu64 " KiB)\n",
                 SAMPLES, (int64_t)(allocated_bytes() - heap), (int64_t)(resident_kib() - resident),
                 resident_kib());
}

int main(int argc, char *argv[]) {
    const char *root = argc > 1 ? argv[1] : "/";
    sd_event *event = NULL;
    size_t n;
    const StatType *types = stat_type_table(&n);

    if (sd_event_new(&event) < 0)
        return EXIT_FAILURE;
    (void)printf("processor time of a tick, %u ticks each, without the wake-up:\n", TICKS);
    for (size_t i = 0; i < n; i++)
        show(event, root, types[i].name);
    show(event, root, NULL);
    show_memory(event, root);
    sd_event_unref(event);
    return EXIT_SUCCESS;
}
