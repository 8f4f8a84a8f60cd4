/* SPDX-License-Identifier: Apache-2.0 */
/* What is at a path where something shall be mounted. */
#pragma once

#include "volume/facts.h"

/* `path` is absolute. Follows no symbolic link and opens no automount point; the mounts are known
 * before. */
int look_place(const Facts *f, const char *path, PlaceType *ret);
