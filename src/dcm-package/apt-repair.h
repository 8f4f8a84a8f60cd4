/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "dcm-package/work.h"

/* As in Backend: configures what is unpacked, unpacks again what was under way, and removes the
 * rest of what was being removed. */
int apt_repair(Work *w);
