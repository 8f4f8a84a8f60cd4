/* SPDX-License-Identifier: Apache-2.0 */
/* A schedule is a timer of systemd, the service that it starts, and a sealed request. */
#pragma once

#include "basic/macro.h"

#define SCHEDULE_UNIT_PREFIX "dcm-backup-"
#define SCHEDULE_CREDENTIAL "request" /* name of the sealed request */

/* Whether the text can be a calendar event, systemd.time(7), as far as that is seen without
 * systemd: whoever calls must ask it. -EINVAL: *ret_problem; the caller frees. */
int schedule_check(const char *calendar, char **ret_problem);

typedef struct ScheduleUnits {
    char *timer, *service; /* texts of the files */
} ScheduleUnits;

void schedule_units_done(ScheduleUnits *u);

/* `id` is that of the series, `sealed` the path of the sealed request, `program` that of
 * dcm-backup. */
int schedule_make_units(const char *id, const char *calendar, unsigned delay_sec,
                        const char *sealed, const char *program, ScheduleUnits *ret);
