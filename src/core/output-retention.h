/* SPDX-License-Identifier: Apache-2.0 */
/* Ends the keeping of jobs' output, by age and by what all of it takes on the disk. Directories,
 * exit records and with them the guard against a second run stay. */
#pragma once

#include <systemd/sd-bus.h>

#include "request/request-flow.h"

typedef struct OutputRetention OutputRetention;

/* The store tells it of what is added. */
int output_retention_new(sd_event *event, Store *store, RequestFlow *flow, const char *jobs_root,
                         OutputRetention **ret);
OutputRetention *output_retention_free(OutputRetention *t);

/* Running time after the reply was stored, and bytes of all outputs together; 0: no limit. */
void output_retention_configure(OutputRetention *t, uint64_t keep_usec, uint64_t budget);
/* Without a bus all output stays. */
void output_retention_set_bus(OutputRetention *t, sd_bus *bus);
