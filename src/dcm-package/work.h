/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of one run share. */
#pragma once

#include "dcm-package/backend.h"
#include "package/request.h"
#include "proto/job-reply.h"
#include "site/policy.h"

struct Work {
    const Backend *backend;
    PackageRequest request;
    Policy *policy;
    Reply *reply;
    char release[65]; /* of the running kernel */
    char *reason;     /* why the last tool has failed, as far as it said so; NULL: it did not */
    unsigned percent_from, percent_to; /* of the part that is under way */
    int own_lock_fd;
};

void work_done(Work *w);
/* The backend is left to the caller. -EINVAL: there is a reply that says why nothing can be done.
 */
int work_init(Work *w, Reply *reply);

/* Sets the error of the reply. Returns -EINVAL, or another negative errno. */
int work_fail(Work *w, int status, const char *code, const char *format, ...) _printf_(4, 5);
/* There is no such package, or not that version of it; `version` NULL or "": none was asked for. */
int work_fail_missing(Work *w, const char *name, const char *version, const char *newest);
/* The same, of a tool that has failed: its reason follows the text, or its status. */
int work_fail_tool(Work *w, int status, const char *text);

/* Callback for a Tool whose userdata is the Work: each line goes to the job's output, and a reason
 * in it is kept. */
void work_on_line(const char *line, void *userdata);
int work_add_reason(Work *w, const char *reason);
/* Those in the output of a tool, which was kept. */
int work_add_reasons(Work *w, const char *output);
void work_forget_reason(Work *w);
/* A line of the reply: the text, and the reasons. */
int work_tell_reason(Work *w, const char *text);
/* A line of the reply and of the output: what an earlier run left was, or could not be, repaired.
 */
int work_tell_repair(Work *w, bool is_done, const char *names);
/* Progress of the part that is under way, of 100. */
void work_tell_progress(const Work *w, unsigned percent, const char *text);
/* The object of the reply, for more fields. */
int work_get_object(Work *w, const char *type, struct json_object **ret);

/* For people: "dnf (17)". */
void work_describe_process(pid_t pid, char *buf, size_t size);
/* Who has a lock of fcntl(2) on one of these files. False: nobody. */
bool work_find_lock(const char *const *paths, char *buf, size_t size);
/* Waits until no other package manager works, and no other run of this program. -EINVAL: failed. */
int work_wait_locks(Work *w);

/* Checks the policy. -EINVAL: refused. */
int work_check_kind(Work *w, PackageChangeKind kind);
int work_check_package(Work *w, const char *name, bool is_new);
