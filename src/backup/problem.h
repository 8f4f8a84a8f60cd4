/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "basic/macro.h"

/* Says in words what is wrong; the caller of whoever called this frees. Returns -EINVAL, or
 * -ENOMEM. */
int problem_set(char **ret_problem, const char *format, ...) _printf_(2, 3);
