/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the reply object (docs/protocol, section 5) from what a job left behind. */
#pragma once

#include "basic/exit-record.h"
#include "job/unit.h"
#include "proto/json.h"

/* return_code of a job that did not end by itself. Other codes: an exit status is 0 to 255, a
 * signal -1 to -64, a failed start 126 or 127 as in a shell. */
#define JOB_RETURN_TIMEOUT (-124)
#define JOB_RETURN_OOM (-125)

/* What is known about an ended job besides its result. */
typedef struct JobRemains {
    int dir_fd; /* its directory, borrowed */
    bool cancelled;
    uint64_t output_max; /* limit of each stream in the reply, besides the size of a message */
} JobRemains;

/* Measures the disk space of a job's output. True if the job has a directory, or may have one: 0
 * bytes if it cannot be opened. */
bool job_measure_output(const char *root, const char *guid, uint64_t *ret_bytes);

/* Reads the record in the job directory. -ENODATA: none yet. */
int job_record_read(int dir_fd, ExitRecord *ret);

/* The reply for a script that ended: exit status (a signal counts as negative), standard output and
 * error. */
int job_reply_from_record(const JobRemains *j, const ExitRecord *record, struct json_object **ret);

/* Adds the reason if systemd knows it and dcm-run does not: on a starved machine dcm-run's timer
 * starts later than the unit's. */
void job_record_add_reason(ExitRecord *record, const UnitStatus *status);

/* Whether the unit's result is that of a dcm-run that wrote or found this record, or of a refused
 * start. */
bool job_record_agrees(const ExitRecord *record, const UnitStatus *status) _pure_;

/* The reply if dcm-run was killed or never ran: systemd's result of the unit. `record`: one that
 * contradicts it, or NULL. Never reports a success. */
int job_reply_from_unit(const JobRemains *j, const UnitStatus *status, const ExitRecord *record,
                        struct json_object **ret);

/* The reply for a cancelled job with neither record nor unit. */
int job_reply_cancelled(const JobRemains *j, struct json_object **ret);

/* The reply for a job that a reboot or a power loss interrupted. */
int job_reply_lost(struct json_object **ret);
