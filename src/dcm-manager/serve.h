/* SPDX-License-Identifier: Apache-2.0 */
/* `dcm-manager serve`: the process around the manager. */
#pragma once

#include "dcm-manager/options.h"

/* Returns after a signal has stopped the manager. */
int serve(const Options *o);
