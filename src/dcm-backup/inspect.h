/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "dcm-backup/work.h"

/* list_backups: what the catalogue and, where places are given, the storage know. */
int inspect_list(Work *w);
/* verify_backup: reads all of an object back, and compares its hash. */
int inspect_verify(Work *w);
