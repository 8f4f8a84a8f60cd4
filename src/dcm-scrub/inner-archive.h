/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "dcm-scrub/plan.h"

/* Writes all items of the plan as a tar archive. -EPIPE: the reader has ended. */
int inner_archive_write(const Beneath *b, const Plan *p, int fd);
