/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-agentctl top: drawing. */
#pragma once

#include "dcm-agentctl/top-line.h"
#include "dcm-agentctl/top-model.h"

/* Draws everything from the first line on. */
void top_draw(const TopModel *m, const TopScreen *s);
