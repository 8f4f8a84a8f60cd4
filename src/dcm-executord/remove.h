/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "dcm-executord/manager.h"

/* Methods Remove and DropOutput */
int job_remove(Manager *m, sd_bus_message *message, sd_bus_error *error);
int job_drop_output(Manager *m, sd_bus_message *message, sd_bus_error *error);
