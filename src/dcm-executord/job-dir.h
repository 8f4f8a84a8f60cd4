/* SPDX-License-Identifier: Apache-2.0 */
/* A job's directory below /var/lib/dcm-jobs. Its existence is the durable proof that its GUID may
 * have been started, and an empty `exit` in it that the script has not; nothing in it is ever
 * renamed. It stays until the request is forgotten (Remove); without output after DropOutput.
 *
 *     script          what runs; 0755; goes when the unit is released
 *     pre, post       what the site has before and after it (dcm-agent-scripts(7)); likewise
 *     stdout, stderr  kept output, basic/job-output.h; written by dcm-run through descriptors
 *     exit            exit record, basic/exit-record.h; empty until the script starts; likewise
 *     log             lines for the manager, basic/job-output.h; likewise
 *     log-pipe        FIFO, DCM_LOG_FILE of the script; dcm-run copies it into `log`
 *     keep            exists where processes that the script leaves behind may live on
 *     cancelled       exists when a cancellation was ordered before the job had ended
 *
 * All belong to root:dcm-agent, and nobody else gets through the directory: what the job's user may
 * write is `log-pipe` alone, which is writable for others and is reached through a bind mount. */
#pragma once

#include "basic/exit-record.h"
#include "basic/fd-util.h"
#include "basic/guid.h"
#include "basic/job-files.h"
#include "basic/macro.h"

typedef enum JobScriptKind {
    JOB_SCRIPT_ITSELF,
    JOB_SCRIPT_PRE,
    JOB_SCRIPT_POST,
    _JOB_SCRIPT_MAX,
} JobScriptKind;

/* What a job runs. */
typedef struct JobScript {
    int fd; /* -1: there is none */
    uint64_t size;
} JobScript;

typedef struct JobScripts {
    JobScript of[_JOB_SCRIPT_MAX];
} JobScripts;

typedef struct JobDir {
    char name[JOB_NAME_SIZE];
    int parent_fd; /* borrowed */
    int dir_fd;
    int out_fd, err_fd; /* these and the next only of a directory just made, or made complete */
    JobFiles files;     /* but for the input */
} JobDir;

#define JOB_DIR_INIT                                                                               \
    ((JobDir){.parent_fd = -1, .dir_fd = -1, .out_fd = -1, .err_fd = -1, .files = JOB_FILES_INIT})

void job_dir_done(JobDir *d);

/* Makes the directory durably, with its files. -EEXIST: this GUID has one. -EBADMSG: a script
 * cannot be read as it promised. After any error but -EEXIST and -ENOTRECOVERABLE there is no
 * directory; -ENOTRECOVERABLE: it could not be removed again, job_dir_resume() will. */
int job_dir_make(int parent_fd, const char *guid, const JobScripts *scripts, JobDir *ret);

/* For a start that did not get to its end: gives the directory, completed, of a job that has not
 * run and is not refused. -EEXIST: it has run, or never will. A unit of it may be there. The script
 * in the directory is the one that counts; with `same_script` another one is refused. -ENOENT:
 * there is no directory, or not all of it, and no script is given. */
int job_dir_resume(int parent_fd, const char *guid, const JobScripts *scripts, bool same_script,
                   JobDir *ret);

/* Removes a directory with its files: one whose job was not started, or is to be forgotten. Returns
 * `error`, or -ENOTRECOVERABLE. */
int job_dir_remove(const JobDir *d, int error);

/* A job that is over needs them no longer, and they may be the largest files. */
void job_dir_drop_script(const JobDir *d);

bool job_dir_has_script(const JobDir *d, JobScriptKind kind);

/* Removes the output too, with stdout as the last. What guards the GUID stays. Of a directory whose
 * files were not all made nothing is removed. */
int job_dir_drop_output(const JobDir *d);

/* -ENOENT: this GUID has none. */
int job_dir_open(int parent_fd, const char *guid, JobDir *ret);
int job_dir_open_named(int parent_fd, const char *name, JobDir *ret);

/* Whether there is an exit record. */
bool job_dir_has_ended(const JobDir *d);

/* Tells whoever settles the request that the job will never run, and why. */
int job_dir_write_start_failure(const JobDir *d, int error);

/* Notes that processes that the script leaves behind may live on; whether that was noted. */
int job_dir_note_keep(const JobDir *d);
bool job_dir_keeps(const JobDir *d);

/* Notes durably that a cancellation was ordered; does nothing if the job has ended. */
int job_dir_note_cancel(const JobDir *d);
