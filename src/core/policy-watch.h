/* SPDX-License-Identifier: Apache-2.0 */
/* Reports changes of the policy, which applies without a reload. */
#pragma once

#include <systemd/sd-event.h>

#include "basic/macro.h"

typedef struct PolicyWatch PolicyWatch;

/* Calls `on_change` shortly after files of the policy have changed, once for several changes. The
 * directories need not exist; the paths must outlive the watch. */
int policy_watch_new(sd_event *event, const char *file, const char *directory,
                     void (*on_change)(void *userdata), void *userdata, PolicyWatch **ret);
PolicyWatch *policy_watch_free(PolicyWatch *w);
