/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a job that only dcm-run may access: the executor passes their descriptors, in flight
 * on a socket that is the unit's standard input. No path in the job's mount namespace leads to
 * them. */
#pragma once

#include "basic/macro.h"

typedef struct JobFiles {
    int record_fd; /* exit record, basic/exit-record.h */
    int log_fd;    /* kept lines, basic/job-output.h */
    int pipe_fd;  /* FIFO whose other end is DCM_LOG_FILE; open for both directions, non-blocking */
    int input_fd; /* standard input of the script, or -1 */
} JobFiles;

#define JOB_FILES_INIT ((JobFiles){-1, -1, -1, -1})

/* Returns a socket that holds the descriptors, or a negative errno; -ETOOMANYREFS: too many
 * descriptors are in flight. The caller keeps its own descriptors. */
int job_files_send(const JobFiles *f);

/* Receives the descriptors; never blocks. -ENOTSOCK: an executor of an older version started this
 * unit without descriptors. -EBADMSG: the socket holds anything else. */
int job_files_receive(int socket_fd, JobFiles *ret);
void job_files_done(JobFiles *f);
