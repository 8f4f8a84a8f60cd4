/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "dcm-executord/executord.h"

/* Implements the method Fetch. */
int serve_fetch(Executord *m, sd_bus_message *message, sd_bus_error *error);
