/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that a plan needs and this machine lacks. */
#pragma once

#include "basic/macro.h"

/* Installs the package with this program if policy.conf(5) allows it (install_missing_tools): 1,
 * and the program is there. 0: it is not allowed, or it has failed; *ret_advice (the caller frees)
 * says what to do. */
int packages_install(const char *program, char **ret_advice);
