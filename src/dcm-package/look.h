/* SPDX-License-Identifier: Apache-2.0 */
/* list_packages, list_updates and reboot_required. */
#pragma once

#include "dcm-package/work.h"

/* Each sets the reply. -EINVAL: it has the error. */
int look_packages(Work *w);
int look_updates(Work *w);
int look_reboot(Work *w);
