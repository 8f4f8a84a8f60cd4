/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "dcm-package/work.h"

/* As in Backend: rebuilds a database that cannot be read; removes the older one of two versions
 * where an update had no time to; and installs again what was under way, so that its scripts run.
 */
int dnf_repair(Work *w);
