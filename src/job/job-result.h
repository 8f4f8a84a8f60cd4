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

/* What is known of a job that has ended, beside how. */
typedef struct JobRemains {
    int dir_fd; /* its directory, borrowed */
    bool cancelled;
    uint64_t output_max; /* bytes of each stream in the reply, as far as they fit in a message */
} JobRemains;

/* True if the job has a directory; what its output takes on the disk. */
bool job_measure_output(const char *root, const char *guid, uint64_t *ret_bytes);

/* Reads the record of the job directory. -ENODATA: none yet. */
int job_record_read(int dir_fd, ExitRecord *ret);

/* The script's own end: exit status (a signal counts negative), standard output and error. */
int job_reply_from_record(const JobRemains *j, const ExitRecord *record, struct json_object **ret);

/* What ended the script, where dcm-run did not see it and systemd did: on a starved machine the
 * clock of dcm-run begins later than that of the unit's time limit. */
void job_record_add_reason(ExitRecord *record, const UnitStatus *status);

/* Whether the unit ended as it does when dcm-run has written this record, or has found it: one of a
 * start that was refused. */
bool job_record_agrees(const ExitRecord *record, const UnitStatus *status) _pure_;

/* dcm-run itself was killed, or never ran: systemd says how the unit ended. `record`: one that
 * contradicts that; NULL: there is none. Never the reply of a success. */
int job_reply_from_unit(const JobRemains *j, const UnitStatus *status, const ExitRecord *record,
                        struct json_object **ret);

/* It was cancelled, and there is neither a record nor a unit. */
int job_reply_cancelled(const JobRemains *j, struct json_object **ret);

/* A reboot or a power loss cut the job off. */
int job_reply_lost(struct json_object **ret);
