/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/config.h"

/* Renders the effective configuration as a file, as config_visit() tells it, with "None" for unset
 * keys. The caller frees the text. */
int config_render(const Config *c, char **ret);
