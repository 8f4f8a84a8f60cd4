/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "dcm-backup/work.h"

/* backup_data_source, backup_service and backup_paths. 0, or an error: then the reply says which.
 */
int backup_run(Work *w);
