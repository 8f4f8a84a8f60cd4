/* SPDX-License-Identifier: Apache-2.0 */
/* A job's directory below /var/lib/dcm-jobs. Its existence is the durable proof that its GUID may
 * have been started, and an empty `exit` proves that the script has not; nothing in it is ever
 * renamed. It stays until the request expires (Remove); without output after DropOutput.
 *
 *     script          the job's script; 0755; removed when the unit is released
 *     pre, post       the site's hooks (dcm-agent-scripts(7)); likewise
 *     stdout, stderr  kept output, basic/job-output.h; written by dcm-run through descriptors
 *     exit            exit record, basic/exit-record.h; empty until the script starts; likewise
 *     log             lines for the manager, basic/job-output.h; likewise
 *     log-pipe        FIFO, DCM_LOG_FILE of the script; dcm-run copies it into `log`
 *     keep            exists if processes that the script leaves behind may stay
 *     finish          exists if the script ends in order, and may take its time for that
 *     cancelled       exists if a cancellation was ordered before the job had ended
 *
 * All files belong to root:dcm-agent, and nobody else can traverse the directory: the job's user
 * may write only `log-pipe`, which is writable for others and reached through a bind mount. */
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

typedef struct JobScript {
    int fd; /* -1: none */
    uint64_t size;
} JobScript;

typedef struct JobScripts {
    JobScript of[_JOB_SCRIPT_MAX];
} JobScripts;

typedef struct JobDir {
    char name[JOB_NAME_SIZE];
    int parent_fd; /* borrowed */
    int dir_fd;
    /* these and the next only for a directory that was just made or completed */
    int out_fd, err_fd;
    JobFiles files; /* without the input */
} JobDir;

#define JOB_DIR_INIT                                                                               \
    ((JobDir){.parent_fd = -1, .dir_fd = -1, .out_fd = -1, .err_fd = -1, .files = JOB_FILES_INIT})

void job_dir_done(JobDir *d);

/* Makes the directory durably, with its files. -EEXIST: this GUID has one. -EBADMSG: a script's
 * size has changed. After any error but -EEXIST and -ENOTRECOVERABLE there is no directory;
 * -ENOTRECOVERABLE: it could not be removed again, but job_dir_resume() can complete it. */
int job_dir_make(int parent_fd, const char *guid, const JobScripts *scripts, JobDir *ret);

/* Resumes an interrupted start: opens and completes the directory of a job that has not run and is
 * not refused. -EEXIST: it has run, or never will. A unit of it may exist. The script in the
 * directory counts; with `same_script` a different one is refused. -ENOENT: the directory is
 * missing or incomplete, and no script is given. */
int job_dir_resume(int parent_fd, const char *guid, const JobScripts *scripts, bool same_script,
                   JobDir *ret);

/* Removes the directory and its files, for a job that was not started, or whose request expires.
 * Returns `error`, or -ENOTRECOVERABLE. */
int job_dir_remove(const JobDir *d, int error);

/* Removes the scripts of an ended job, which may be its largest files. */
void job_dir_drop_script(const JobDir *d);

bool job_dir_has_script(const JobDir *d, JobScriptKind kind);

/* Also removes the output, with stdout last. The guard of the GUID stays. Leaves an incomplete
 * directory alone. */
int job_dir_drop_output(const JobDir *d);

/* -ENOENT: this GUID has none. */
int job_dir_open(int parent_fd, const char *guid, JobDir *ret);
int job_dir_open_named(int parent_fd, const char *name, JobDir *ret);

/* Whether there is a complete exit record. */
bool job_dir_has_ended(const JobDir *d);

/* Writes an exit record that says that the job will never run, and why. */
int job_dir_write_start_failure(const JobDir *d, int error);

/* Marks the job as one whose remaining processes may stay; job_dir_keeps() reads the mark. */
int job_dir_note_keep(const JobDir *d);
bool job_dir_keeps(const JobDir *d);

/* Marks the job as one whose unit has a time limit of its own for its end; job_dir_finishes() reads
 * the mark. */
int job_dir_note_finish(const JobDir *d);
bool job_dir_finishes(const JobDir *d);

/* Notes a cancellation durably; does nothing if the job has ended. */
int job_dir_note_cancel(const JobDir *d);
