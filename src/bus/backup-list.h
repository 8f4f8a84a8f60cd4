/* SPDX-License-Identifier: Apache-2.0 */
/* The series of backups on D-Bus. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/macro.h"

int bus_method_list_backups(sd_bus_message *m, void *userdata, sd_bus_error *error);
