/* SPDX-License-Identifier: Apache-2.0 */
/* The hooks that a service brings in its directory bin. dcm-service(8) runs them, as the user dcm
 * and in a unit of their own. */
#pragma once

#include "dcm-backup/hand-over.h"

typedef struct Hook {
    const char *name;             /* installds: bin/enstratus-installds */
    const char *const *arguments; /* end with NULL */
    int absent_status;            /* what counts when there is none; 0: nothing is to be done */
    int forbidden_status;         /* ... when it cannot be executed */
} Hook;

bool hook_is_there(const Work *w, const char *name);
/* Whether it can be run. 1; 0: there is none, and none is needed; -EIO: the reply says why not, and
 * has the status as return code. */
int hook_check(Work *w, const Hook *h);
/* Runs it in the service's directory, while the hand-over is the hook's. 1: done; 0 and -EIO: as
 * hook_check(), and -EIO also when it failed: the reply has its path, status and words, and its
 * status as return code. What a good one has put out is added to the message. */
int hook_run(Work *w, const Hook *h, const HandOver *files);

/* Replaces cfg/enstratiusinitd.cfg of the service. */
int hook_write_configuration(Work *w, const char *text, char **ret_path);
