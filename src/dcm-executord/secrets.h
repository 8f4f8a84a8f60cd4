/* SPDX-License-Identifier: Apache-2.0 */
/* Values that only one job may see. They wait in memory, below the runtime directory, where systemd
 * takes them from as the unit's credentials (systemd.exec(5), LoadCredential=), until the job is
 * over. */
#pragma once

#include "dcm-executord/job-dir.h"

typedef struct Secret {
    const char *name;
    int fd; /* borrowed: a regular file of `size` bytes */
    uint64_t size;
} Secret;

/* The directory is $RUNTIME_DIRECTORY. Nothing is left after an error. */
int secrets_write(const JobDir *d, const Secret *secrets, size_t n);
/* Where systemd finds one. The caller frees. */
int secret_get_path(const JobDir *d, const char *name, char **ret);
/* Nothing to drop is no error. */
void secrets_drop(const char *job_name);
