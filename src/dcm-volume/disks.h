/* SPDX-License-Identifier: Apache-2.0 */
/* What list_devices says, as a table for people. */
#pragma once

#include "proto/json.h"

/* `devices`: the array of list_devices(). Prints to standard output. -ENOMEM. */
int disks_print(struct json_object *devices);
