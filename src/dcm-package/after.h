/* SPDX-License-Identifier: Apache-2.0 */
/* What is to be known after a change: configuration files that were kept, services that use
 * replaced files, and whether a reboot is due. */
#pragma once

#include "dcm-package/work.h"

/* Configuration files that were kept: new versions that were not taken, and changed ones that were
 * put aside. The first call tells those that are there from those that come, without a clock; the
 * second gives an array of the paths of those that have come, or come again. */
int after_mark_conffiles(struct json_object **ret);
int after_find_conffiles(struct json_object *before, struct json_object **ret);

/* Services whose processes use files that were deleted or replaced: an array of names. */
int after_find_services(struct json_object **ret);

/* Restarts those of them that no rule keeps. *ret: an array of those that were restarted; what
 * could not be is told in the reply. */
int after_restart_services(Work *w, struct json_object *services, struct json_object **ret);

/* The reply object of reboot_required. */
int after_find_reboot(Work *w, const PackageList *installed, struct json_object **ret);
