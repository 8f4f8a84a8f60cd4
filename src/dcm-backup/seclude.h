/* SPDX-License-Identifier: Apache-2.0 */
/* For a program that opens files by their paths, as zip(1) does, in a directory of which a user can
 * exchange a part with a link at any moment. */
#pragma once

#include "basic/macro.h"

#define SECLUDED "/tree" /* where the directory is then */

/* In a child: there is nothing any more but that directory and the programs of the system, so
 * whatever a link in it says, it leads to nothing else. -EXDEV: the path itself goes through a link
 * that others than root can change. */
int seclude(const char *directory);
