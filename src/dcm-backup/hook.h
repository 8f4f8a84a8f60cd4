/* SPDX-License-Identifier: Apache-2.0 */
/* The hooks that a service brings in its directory bin, and the files around them. */
#pragma once

#include "dcm-backup/work.h"

typedef struct Hook {
    const char *name;             /* enstratus-installds */
    const char *const *arguments; /* end with NULL */
    int absent_status;            /* what counts when there is none; 0: nothing is to be done */
    int forbidden_status;         /* ... when it cannot be executed */
} Hook;

bool hook_is_there(const Work *w, const char *name);
/* Runs it in the service's directory. 1: done; 0: there is none, and none is needed; -EIO: it
 * failed, and the reply has its path, status and words, and its status as return code. What a good
 * one has put out is added to the message. */
int hook_run(Work *w, const Hook *h);

/* Replaces cfg/enstratiusinitd.cfg of the service. */
int hook_write_configuration(Work *w, const char *text, char **ret_path);
/* A file of the run with that text. */
int hook_write_file(Work *w, const char *name, const char *text, char **ret_path);
