/* SPDX-License-Identifier: Apache-2.0 */
/* Deletes the output of jobs by age and by total size on disk. Directories and exit records stay,
 * and with them the guard against a second execution. */
#pragma once

#include <systemd/sd-bus.h>

#include "request/request-flow.h"

typedef struct OutputRetention OutputRetention;

/* Subscribes to new rows of the store. */
int output_retention_new(sd_event *event, Store *store, RequestFlow *flow, const char *jobs_root,
                         OutputRetention **ret);
OutputRetention *output_retention_free(OutputRetention *t);

/* `keep_usec`: running time after the reply was stored; `budget`: bytes of all outputs together; 0:
 * no limit. */
void output_retention_configure(OutputRetention *t, uint64_t keep_usec, uint64_t budget);
/* Without a bus all output stays. */
void output_retention_set_bus(OutputRetention *t, sd_bus *bus);
