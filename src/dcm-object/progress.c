/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-object/progress.h"

#include <stdio.h>

#include "basic/time-util.h"
#include "dcm-log/client.h"

#define INTERVAL_USEC USEC_PER_SEC

static void tell(const Progress *p, unsigned percent) {
    static const SayOptions options = {.silent_usec = USEC_PER_SEC};

    if (p->to_stderr)
        (void)fprintf(stderr, "%u %%\n", percent);
    if (p->to_agent) /* progress is not essential */
        (void)say_progress(&options, percent, NULL);
}

void progress_add(Progress *p, size_t size) {
    unsigned percent;
    uint64_t now;

    p->done += size;
    if (p->total == 0 || !(p->to_stderr || p->to_agent))
        return;
    percent = p->part.first + (unsigned)((double)MIN(p->done, p->total) / (double)p->total *
                                         (p->part.last - p->part.first));
    if (percent == p->percent)
        return;
    now = now_usec(CLOCK_BOOTTIME);
    if (percent < p->part.last && now - p->told_usec < INTERVAL_USEC)
        return;
    p->percent = percent;
    p->told_usec = now;
    tell(p, percent);
}
