/* SPDX-License-Identifier: Apache-2.0 */
/* Alerts that the former agent has told its manager, so that ours does not tell them again. */
#pragma once

#include "dcm-migrate/former.h"
#include "store/store.h"

/* Reads the alert file of OSSEC or Wazuh from standard input with the agent's parser, and stores as
 * acknowledged what is in the former database, too. In the caller's transaction; prints how
 * many. */
int alerts_take(Former *former, Store *store);
