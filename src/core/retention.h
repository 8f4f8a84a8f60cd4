/* SPDX-License-Identifier: Apache-2.0 */
/* Forgets old requests: the directory of the job first, then the row, so that one of the two guards
 * a GUID for as long as it may not run again. */
#pragma once

#include <systemd/sd-bus.h>

#include "request/request-flow.h"

typedef struct Retention Retention;

/* Begins soon after that, then once per hour. */
int retention_new(sd_event *event, Store *store, RequestFlow *flow, const char *jobs_root,
                  Retention **ret);
Retention *retention_free(Retention *t);
DEFINE_CLEANUP(Retention *, retention_free)

/* Running time after the last change of a request in a final state. */
void retention_configure(Retention *t, uint64_t keep_usec, uint64_t keep_jobs_usec);
/* Without a bus no job directory is removed, and no row of a job that has one. */
void retention_set_bus(Retention *t, sd_bus *bus);
