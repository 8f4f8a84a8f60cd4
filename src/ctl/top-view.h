/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-agentctl top: the picture. */
#pragma once

#include "ctl/top-line.h"
#include "ctl/top-model.h"

/* All of it, from the first line on. */
void top_draw(const TopModel *m, const TopScreen *s);
