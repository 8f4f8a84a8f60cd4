/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "basic/macro.h"

/* services_dir in [storage] of agent.conf, an absolute path; the caller frees. -EINVAL: it is none,
 * which the function has logged. */
int settings_services_directory(char **ret);
