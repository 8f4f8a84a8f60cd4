/* SPDX-License-Identifier: Apache-2.0 */
/* Timers go by the clock: where it was set back, what they have begun comes again. */
#pragma once

#include "basic/macro.h"

/* For a run that a timer has started: whether the backup of its event was made already, as the
 * catalogue says. Logs that, and what keeps it from being known; then the answer is no. */
bool repeat_is_needless(const char *id);
