/* SPDX-License-Identifier: Apache-2.0 */
/* Scheduled runs that did not come as far as to write a record: each leaves a record all the same,
 * so that whoever watches sees it. */
#pragma once

#include "dcm-backup/work.h"

/* This run of a schedule's unit has a record. */
void begun_mark(void);
/* For the unit's end, or the run itself: writes one that says `error`, if there is none of this
 * run. NULL: what systemd says of the unit, if it has failed. */
int begun_note(const char *id, const char *error);
/* The unit has ended. */
void begun_forget(void);
