/* SPDX-License-Identifier: Apache-2.0 */
/* What a caller of Start asked for, and, once it is admitted, what it gets. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/bounds.h"
#include "dcm-executord/policy.h"
#include "dcm-executord/registry.h"
#include "dcm-executord/secrets.h"

typedef struct JobRequest {
    const char *guid, *command_name;
    ExecutorCommand command;
    char **arguments;             /* ends with NULL */
    const char *interpreter;      /* or NULL */
    JobScripts scripts;           /* what runs */
    int own_fds[_JOB_SCRIPT_MAX]; /* the same, where the executor opened it */
    int input_fd;                 /* standard input; -1: none */
    Secret secrets[COMMAND_SECRETS_MAX];
    size_t n_secrets;
    bool dry_run;          /* the script is told to do nothing */
    bool keep_processes;   /* that the script leaves behind */
    bool as_root;          /* as it was asked for */
    const char *user;      /* of the job, which owns its processes */
    uint64_t timeout_usec; /* 0: the policy's */
    Policy *policy;        /* owns what the limits point to, as does the command */
    JobLimits limits;
} JobRequest;

#define JOB_REQUEST_INIT                                                                           \
    ((JobRequest){.scripts = {{{.fd = -1}, {.fd = -1}, {.fd = -1}}},                               \
                  .own_fds = {-1, -1, -1},                                                         \
                  .input_fd = -1})

/* Reads the call and checks its form. An error is set in `error`, or is our own trouble. The
 * strings and descriptors are the message's. */
int job_request_read(sd_bus_message *m, JobRequest *q, sd_bus_error *error);
void job_request_done(JobRequest *q);
