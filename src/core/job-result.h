/* SPDX-License-Identifier: Apache-2.0 */
/* From what a job left behind to its reply object (docs/protocol, section 5). */
#pragma once

#include "basic/exit-record.h"
#include "core/unit.h"
#include "proto/json.h"

/* Reads the record of the job directory. -ENODATA: none yet. */
int job_record_read(int dir_fd, ExitRecord *ret);

/* The script's own end: exit status (a signal counts negative), standard output and error. */
int job_reply_from_record(int dir_fd, const ExitRecord *record, bool cancelled,
                          struct json_object **ret);

/* dcm-run itself was killed, or never ran: systemd says how the unit ended. */
int job_reply_from_unit(int dir_fd, const UnitStatus *status, bool cancelled,
                        struct json_object **ret);

/* It was cancelled, and there is neither a record nor a unit. */
int job_reply_cancelled(int dir_fd, struct json_object **ret);

/* A reboot or a power loss cut the job off. */
int job_reply_lost(struct json_object **ret);
