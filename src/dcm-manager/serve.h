/* SPDX-License-Identifier: Apache-2.0 */
/* `dcm-manager serve`: the process around the manager. */
#pragma once

#include "dcm-manager/options.h"

/* Returns when a signal ends it. */
int serve(const Options *o);
