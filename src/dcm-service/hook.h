/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a hook of a service in a unit of its own, so that it has nothing of the job's sandbox. The
 * unit ends with the job. */
#pragma once

#include "dcm-service/directory.h"
#include "unit/program.h"

#define HOOK_USER "dcm" /* as the Python agent, whose user this was */
#define HOOK_CREDENTIALS_MAX 4

/* The argument after this one is the path of a credential, given by name. */
extern const char HOOK_PATH_OF[];

typedef struct HookCredential {
    const char *name;   /* of the file that the hook sees */
    const char *source; /* of the file that has it, outside of the job */
} HookCredential;

typedef struct HookCall {
    const char *id;
    const char *name;             /* bin/enstratus-NAME */
    const char *user;             /* NULL: HOOK_USER */
    const char *const *arguments; /* a HOOK_PATH_OF is followed by the name of a credential */
    HookCredential credentials[HOOK_CREDENTIALS_MAX]; /* up to the first without name */
    unsigned timeout_sec;
    const char *stop_post; /* what root runs when it has ended; NULL: nothing */
} HookCall;

/* 0: *ret has what it wrote and its status; if systemd could not start it, or has ended it, its
 * standard error says so. -EIO: it could not be run; this has been logged. */
int hook_run(const Services *s, const HookCall *c, ProgramResult *ret);

/* The environment that all hooks have, as arguments of systemd-run(1). */
void hook_add_environment(const Services *s, Arguments *a);
/* The part of it that is of the job. */
void hook_add_job_environment(Arguments *a);

/* The path of a secret argument of this job, as systemd sees it; NULL: there is none. The caller
 * frees. */
int secret_path(const char *name, char **ret);
