/* SPDX-License-Identifier: Apache-2.0 */
/* dnf's plugin versionlock, which holds packages. */
#pragma once

#include "package/change.h"

/* Whether the plugin is there and not switched off. *ret_list, which the caller frees, is the path
 * of its list. */
int versionlock_find(bool *ret_active, char **ret_list);
/* Marks what it holds. */
int versionlock_mark(PackageList *l);
