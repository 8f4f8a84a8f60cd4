/* SPDX-License-Identifier: Apache-2.0 */
/* The files of one request, below /run, which is in memory: nothing of a request is on a disk. One
 * request at a time. */
#pragma once

#include "configure/plan.h"

#define CONFIGURE_RUN "/run/dcm-configure"

typedef struct Place {
    int turn_fd; /* whoever has it locked has the turn */
    char *path;  /* the directory of this request */
    char
        *summary; /* what the script writes, if it does: a JSON object; outside of that directory */
} Place;

/* Waits for the turn, removes what a killed request has left, and writes the files of the plan.
 * What fails has been logged. */
int place_make(const ConfigurePlan *plan, Place *ret);

/* Removes the directory. */
void place_done(Place *p);
