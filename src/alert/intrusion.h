/* SPDX-License-Identifier: Apache-2.0 */
/* Follows the alert file of OSSEC or Wazuh, and passes on each alert once. */
#pragma once

#include "alert/alerts.h"

typedef struct Intrusion Intrusion;

int intrusion_new(sd_event *event, Alerts *alerts, Intrusion **ret);
Intrusion *intrusion_free(Intrusion *i);
DEFINE_CLEANUP(Intrusion *, intrusion_free)

/* `path` NULL: follows nothing. `gap_usec`: minimum time between two reads, unless one read could
 * not take everything. Alerts below `threshold` are only stored. */
int intrusion_configure(Intrusion *i, const char *path, uint64_t gap_usec, int threshold);
