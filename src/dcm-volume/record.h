/* SPDX-License-Identifier: Apache-2.0 */
/* The intent record: the plan with the state of its steps, as a file that survives a power cut.
 * It is written before the first write to a device, and at the begin and the end of each step. */
#pragma once

#include "volume/plan.h"

#define RECORD_DIRECTORY "/var/lib/dcm-volumes"

/* 0: *ret is the record; -ENOENT: there is none; -EBADMSG: it is damaged, or of a newer version. */
int record_read(const char *directory, const char *id, Plan *ret);

/* Has returned when the record is on the disk. Makes the directory when it is not there. */
int record_write(const char *directory, const Plan *p);

/* -ENOENT: there was none. */
int record_remove(const char *directory, const char *id);

/* Calls `visit` for each record; stops when it returns other than 0, and returns that. *ret_bad
 * (may be NULL): the name of one that is damaged, or of a newer version, and was left out: it may
 * be about any disk; NULL: there is none. The caller frees. */
int record_visit(const char *directory, int (*visit)(const Plan *p, void *userdata), void *userdata,
                 char **ret_bad);
