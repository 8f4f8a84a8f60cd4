/* SPDX-License-Identifier: Apache-2.0 */
/* Follows the alert file of OSSEC or Wazuh, and gives out each alert once. */
#pragma once

#include "alert/alerts.h"

typedef struct Intrusion Intrusion;

int intrusion_new(sd_event *event, Alerts *alerts, Intrusion **ret);
Intrusion *intrusion_free(Intrusion *i);
DEFINE_CLEANUP(Intrusion *, intrusion_free)

/* `path` NULL: nothing is followed. `gap_usec`: at least between two reads, unless there was more
 * to read than is read at once. Alerts below `threshold` are stored only. */
int intrusion_configure(Intrusion *i, const char *path, uint64_t gap_usec, int threshold);
