/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "dcm-backup/work.h"

/* install_data_source and restore_data_source: the object goes to the service's hook. */
int restore_data_source(Work *w);
/* restore_service and restore_paths: it takes the place of a directory. */
int restore_directory(Work *w);
int restore_remove_former(Work *w);
