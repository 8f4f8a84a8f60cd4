/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-agentctl top: the picture. */
#pragma once

#include "dcm-agentctl/top-line.h"
#include "dcm-agentctl/top-model.h"

/* All of it, from the first line on. */
void top_draw(const TopModel *m, const TopScreen *s);
