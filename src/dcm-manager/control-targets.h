/* SPDX-License-Identifier: Apache-2.0 */
/* The methods of the control socket for orders to many agents; dcm-manager/control.h lists them. */
#pragma once

#include "dcm-manager/control-client.h"
#include "dcm-manager/manager.h"

/* False: none of them has that name. */
bool control_targets_run(Manager *m, ControlClient *client, const char *name,
                         struct json_object *request);
