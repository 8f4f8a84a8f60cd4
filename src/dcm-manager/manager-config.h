/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-manager.conf(5). */
#pragma once

#include "basic/ini-file.h"
#include "dcm-manager/enrolment-mode.h"

typedef struct ManagerConfig {
    EnrolmentMode enrolment;
} ManagerConfig;

/* Reads the file, then FILE.d/ with files that end in .conf; absent ones are no error. `problem` is
 * called for each value that is not valid, for which the strict default counts, and for each
 * unknown key. */
int manager_config_load(const char *file, IniProblem problem, void *userdata, ManagerConfig *ret);
