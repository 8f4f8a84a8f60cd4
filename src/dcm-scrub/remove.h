/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "dcm-scrub/plan.h"

/* Removes all items. What cannot be removed is told on standard error, and the rest removed; then
 * the result is the first of these errors. */
int remove_planned(const Beneath *b, const Plan *p, bool is_verbose);
