/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets of jobs. They are in memory, below the runtime directory, from where systemd loads them
 * as the unit's credentials (systemd.exec(5), LoadCredential=), until the job has ended. */
#pragma once

#include "dcm-executord/job-dir.h"

typedef struct Secret {
    const char *name;
    int fd; /* borrowed: a regular file of `size` bytes */
    uint64_t size;
} Secret;

/* Writes below $RUNTIME_DIRECTORY. Replaces earlier secrets of the job in one step, so that there
 * are always some. After an error the call can be repeated. */
int secrets_write(const JobDir *d, const Secret *secrets, size_t n);
/* The file that systemd loads. The caller frees the path. */
int secret_get_path(const JobDir *d, const char *name, char **ret);
/* Removes a job's secrets, if any. */
void secrets_drop(const char *job_name);
