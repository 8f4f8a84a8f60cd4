/* SPDX-License-Identifier: Apache-2.0 */
/* Wipes the arguments of requests that have ended. Deletes old requests: the job's directory first,
 * then the row, so that one of the two guards a GUID for as long as it must not run again. */
#pragma once

#include <systemd/sd-bus.h>

#include "request/request-flow.h"

typedef struct Retention Retention;

/* Runs soon after this call, then once per hour. */
int retention_new(sd_event *event, Store *store, RequestFlow *flow, const char *jobs_root,
                  Retention **ret);
Retention *retention_free(Retention *t);
DEFINE_CLEANUP(Retention *, retention_free)

/* `keep_usec`: running time after the last change of a request in a final state. */
void retention_configure(Retention *t, uint64_t keep_usec, uint64_t keep_jobs_usec);
/* Without a bus, job directories stay, and so do the rows of jobs that have one. */
void retention_set_bus(Retention *t, sd_bus *bus);
