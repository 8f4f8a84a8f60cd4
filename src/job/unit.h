/* SPDX-License-Identifier: Apache-2.0 */
/* systemd's view of a job's unit. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/guid.h"

typedef struct UnitStatus {
    bool started; /* a main process was forked */
    bool ended;
    char result[32]; /* "success", "timeout", "oom-kill", ... */
    int main_code;   /* CLD_EXITED, ... of the main process; 0: it never ran */
    int main_status;
} UnitStatus;

/* `error`: 0; -ENOENT only if systemd answered NoSuchUnit; any other negative errno means that
 * nothing is known. */
typedef void (*UnitCallback)(int error, const UnitStatus *status, void *userdata);

typedef struct UnitQuery UnitQuery;

/* Queries the unit and all its properties: GetUnit, then GetAll. */
int unit_query_new(sd_bus *bus, const char *unit, UnitCallback callback, void *userdata,
                   UnitQuery **ret);
/* Queries the properties alone, for callers that need no NoSuchUnit: an absent unit looks as if it
 * has not started. */
int unit_query_new_properties(sd_bus *bus, const char *unit, UnitCallback callback, void *userdata,
                              UnitQuery **ret);
UnitQuery *unit_query_free(UnitQuery *q);

/* Calls `changed` on each signal about the unit; a signal is a reason to look, never a fact. Calls
 * `installed` when no change can be missed any more, or with an error. */
typedef void (*UnitInstalled)(int error, void *userdata);
typedef struct UnitWatch UnitWatch;
int unit_watch_new(sd_bus *bus, const char *unit, UnitInstalled installed,
                   void (*changed)(void *userdata), void *userdata, UnitWatch **ret);
UnitWatch *unit_watch_free(UnitWatch *w);
