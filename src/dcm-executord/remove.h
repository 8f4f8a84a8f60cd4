/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "dcm-executord/executord.h"

/* Implement the methods Remove and DropOutput. */
int serve_remove(Executord *m, sd_bus_message *message, sd_bus_error *error);
int serve_drop_output(Executord *m, sd_bus_message *message, sd_bus_error *error);
