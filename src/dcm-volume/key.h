/* SPDX-License-Identifier: Apache-2.0 */
/* The key of an encrypted volume: it comes as a file of the job's credentials, and goes to programs
 * as a descriptor of sealed memory. */
#pragma once

#include "basic/macro.h"

/* *ret_fd: the key, or -1 if none came. -EINVAL: it cannot be used; *ret_problem (the caller frees)
 * says why. */
int key_load(int *ret_fd, char **ret_problem);
