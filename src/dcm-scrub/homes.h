/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "dcm-scrub/beneath.h"

/* The homes of all users of the tree, from its passwd(5), and all directories of /home: paths
 * without leading slash. The caller frees by strv_free(). */
int homes_find(const Beneath *b, char ***ret);
