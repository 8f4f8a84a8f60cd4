/* SPDX-License-Identifier: Apache-2.0 */
/* The arguments of Start and, after admission, the settings of the job. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/bounds.h"
#include "dcm-executord/registry.h"
#include "dcm-executord/secrets.h"
#include "site/policy.h"

typedef struct JobRequest {
    const char *guid, *command_name;
    ExecutorCommand command;
    char **arguments;             /* ends with NULL */
    const char *interpreter;      /* may be NULL */
    JobScripts scripts;           /* the scripts to run */
    int own_fds[_JOB_SCRIPT_MAX]; /* those of them that the executor opened itself */
    int input_fd;                 /* standard input, or -1 */
    Secret secrets[COMMAND_SECRETS_MAX];
    size_t n_secrets;
    bool dry_run;          /* the script must change nothing */
    bool keep_processes;   /* do not kill processes that the script leaves behind */
    bool as_root;          /* as ordered */
    const char *user;      /* under which the job runs */
    uint64_t timeout_usec; /* 0: the policy's limit */
    unsigned n_included;   /* commands that it includes, counted while they are checked */
    Policy *policy;        /* owns, like the command, strings of the limits */
    JobLimits limits;
} JobRequest;

#define JOB_REQUEST_INIT                                                                           \
    ((JobRequest){.scripts = {{{.fd = -1}, {.fd = -1}, {.fd = -1}}},                               \
                  .own_fds = {-1, -1, -1},                                                         \
                  .input_fd = -1})

/* Reads the call and checks its form. Errors of the caller are set in `error`. Strings and
 * descriptors belong to the message. */
int job_request_read(sd_bus_message *m, JobRequest *q, sd_bus_error *error);
void job_request_done(JobRequest *q);

/* How long the script may take to end in order; 0: as any other. */
static inline uint64_t job_request_finish_usec(const JobRequest *q) {
    return q->command.file ? q->command.file->finish_usec : 0;
}
