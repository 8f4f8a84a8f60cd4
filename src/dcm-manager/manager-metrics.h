/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "dcm-manager/manager-setup.h"

/* What the manager has counted, as OpenMetrics text; the caller frees. -ENOMEM, or an error of the
 * database. */
int manager_metrics(Manager *m, char **ret);
