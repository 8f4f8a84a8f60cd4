/* SPDX-License-Identifier: Apache-2.0 */
/* A path that is backed up may lead through a directory of a user, who can put a link to anywhere
 * in the place of the next part at any moment. Such a directory is covered by one in which there is
 * nothing but what was found at the path. */
#pragma once

#include "basic/macro.h"

/* In a mount namespace of its own. A path below another one is left alone: that one has it.
 * -EXDEV: a path goes through a symbolic link that others than root can change. */
int pins_place(char *const *paths);
