/* SPDX-License-Identifier: Apache-2.0 */
/* Load averages, from /proc/loadavg, and pressure stall information, from /proc/pressure. */
#pragma once

#include "basic/macro.h"

typedef struct Load {
    double averages[3]; /* of 1, 5 and 15 minutes */
    uint64_t n_runnable, n_tasks;
} Load;

typedef struct PressureLine {
    bool is_known;
    double averages[3]; /* percent of the time, over 10 s, 60 s and 300 s */
    uint64_t total_usec;
} PressureLine;

typedef struct Pressure {
    PressureLine some, full;
} Pressure;

/* -EBADMSG: not the text of that file. */
int load_parse(const char *text, Load *ret);
int pressure_parse(const char *text, Pressure *ret);
