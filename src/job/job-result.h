/* SPDX-License-Identifier: Apache-2.0 */
/* From what a job left behind to its reply object (docs/protocol, section 5). */
#pragma once

#include "basic/exit-record.h"
#include "job/unit.h"
#include "proto/json.h"

/* return_code of a job that did not end by itself; an exit status is 0 to 255, a signal -1 to -64,
 * a failed start 126 or 127 as in a shell. */
#define JOB_RETURN_TIMEOUT (-124)
#define JOB_RETURN_OOM (-125)

/* How many bytes of each stream the replies carry from now on, as far as they fit in a message. */
void job_reply_set_output_max(uint64_t bytes);

/* True if the job has a directory; what its output takes on the disk. */
bool job_measure_output(const char *root, const char *guid, uint64_t *ret_bytes);

/* Reads the record of the job directory. -ENODATA: none yet. */
int job_record_read(int dir_fd, ExitRecord *ret);

/* The script's own end: exit status (a signal counts negative), standard output and error. */
int job_reply_from_record(int dir_fd, const ExitRecord *record, bool cancelled,
                          struct json_object **ret);

/* What ended the script, where dcm-run did not see it and systemd did: on a starved machine the
 * clock of dcm-run begins later than that of the unit's time limit. */
void job_record_add_reason(ExitRecord *record, const UnitStatus *status);

/* Whether the unit ended as it does when dcm-run has written this record, or has found it: one of a
 * start that was refused. */
bool job_record_agrees(const ExitRecord *record, const UnitStatus *status) _pure_;

/* dcm-run itself was killed, or never ran: systemd says how the unit ended. `record`: one that
 * contradicts that; NULL: there is none. Never the reply of a success. */
int job_reply_from_unit(int dir_fd, const UnitStatus *status, const ExitRecord *record,
                        bool cancelled, struct json_object **ret);

/* It was cancelled, and there is neither a record nor a unit. */
int job_reply_cancelled(int dir_fd, struct json_object **ret);

/* A reboot or a power loss cut the job off. */
int job_reply_lost(struct json_object **ret);
