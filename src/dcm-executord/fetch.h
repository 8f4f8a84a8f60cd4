/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "dcm-executord/manager.h"

/* Method Fetch */
int job_fetch(Manager *m, sd_bus_message *message, sd_bus_error *error);
