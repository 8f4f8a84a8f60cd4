/* SPDX-License-Identifier: Apache-2.0 */
/* What dcm-service takes from agent.conf(5). */
#pragma once

#include "basic/macro.h"

#define SERVICES_RUN "/run/dcm-services" /* locks and marks, until the next boot */

/* `services_dir` of [storage]; the caller frees. -EINVAL: it cannot be one, which has been
 * logged. */
int settings_services_dir(char **ret);
