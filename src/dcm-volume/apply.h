/* SPDX-License-Identifier: Apache-2.0 */
/* mount_volume: from the request to the mounted volume. */
#pragma once

#include "proto/job-reply.h"

/* `arguments` are those of the command; the key is among the credentials of the job. `dry_run`: the
 * plan is the reply's object, and nothing changes. A negative errno: there is not even a reply. */
int volume_apply(struct json_object *arguments, bool dry_run, Reply *reply);
