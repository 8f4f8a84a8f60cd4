/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a job that only dcm-run may have: the executor passes their descriptors, in flight
 * on a socket that is the unit's standard input. No path in the job's mount namespace leads to
 * them. */
#pragma once

#include "basic/macro.h"

typedef struct JobFiles {
    int record_fd; /* exit record, basic/exit-record.h */
    int log_fd;    /* kept lines, basic/job-output.h */
    int pipe_fd;  /* FIFO whose other end is DCM_LOG_FILE; open for both directions, not blocking */
    int input_fd; /* standard input of the script; -1: none */
} JobFiles;

#define JOB_FILES_INIT ((JobFiles){-1, -1, -1, -1})

/* Returns the end of a socket that holds the descriptors, or a negative errno; -ETOOMANYREFS: too
 * many descriptors wait for their receivers now. The caller keeps its own descriptors. */
int job_files_send(const JobFiles *f);

/* Takes them; never blocks. -ENOTSOCK: an executor of an older version started this unit, and
 * passed none. -EBADMSG: something else is in the socket. */
int job_files_receive(int socket_fd, JobFiles *ret);
void job_files_done(JobFiles *f);
