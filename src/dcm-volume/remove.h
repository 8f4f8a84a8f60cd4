/* SPDX-License-Identifier: Apache-2.0 */
/* unmount_volume and resize_volume: what is done with a volume that is there. */
#pragma once

#include "proto/job-reply.h"

/* As volume_apply() of apply.h. */
int volume_remove(struct json_object *arguments, bool dry_run, Reply *reply);
int volume_grow(struct json_object *arguments, bool dry_run, Reply *reply);
