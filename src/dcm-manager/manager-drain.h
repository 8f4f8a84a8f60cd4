/* SPDX-License-Identifier: Apache-2.0 */
/* A drain: manager_drain() of dcm-manager/manager.h. */
#pragma once

#include "dcm-manager/manager-peers.h"

int drain_set_up(Manager *m);
int drain_begin(Manager *m, uint64_t within_usec);
