/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of one run share. */
#pragma once

#include "package/change.h"
#include "package/request.h"
#include "proto/job-reply.h"
#include "site/policy.h"

typedef struct Work {
    PackageFamily family;
    PackageRequest request;
    Policy *policy;
    Reply *reply;
    char release[65]; /* of the running kernel */
    char *reason;     /* why the last tool has failed, as far as it said so; NULL: it did not */
    unsigned percent_from, percent_to; /* of the part that is under way */
    int own_lock_fd;
} Work;

void work_done(Work *w);
/* -EINVAL: there is a reply that says why nothing can be done. */
int work_init(Work *w, Reply *reply);

/* Sets the error of the reply. Returns -EINVAL, or another negative errno. */
int work_fail(Work *w, int status, const char *code, const char *format, ...) _printf_(4, 5);
/* The same, of a tool that has failed: its reason follows the text, or its status. */
int work_fail_tool(Work *w, int status, const char *text);

/* Callbacks for a Tool whose userdata is the Work: each line goes to the job's output, and a reason
 * in it is kept. */
void work_on_line(const char *line, void *userdata);
void work_on_status(char *line, void *userdata);
int work_add_reason(Work *w, const char *reason);

/* Waits until no other package manager works, and no other run of this program. -EINVAL: failed. */
int work_wait_locks(Work *w);

/* Checks the policy. -EINVAL: refused. */
int work_check_kind(Work *w, PackageChangeKind kind);
int work_check_package(Work *w, const char *name, bool is_new);
