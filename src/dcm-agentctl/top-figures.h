/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-agentctl top: the machine as a whole, a line for each figure with its last minutes. */
#pragma once

#include "dcm-agentctl/top-line.h"
#include "dcm-agentctl/top-model.h"

void top_draw_figures(Painter *p, const TopModel *m);
/* Green, yellow or red, as much as of something is used. */
Colour top_get_colour(double share);
