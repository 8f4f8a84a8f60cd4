/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "unit/program.h"

/* Why dcm-object(8) has failed: the text of its answer, which is JSON, or else what it wrote to
 * standard error. The caller frees. */
int object_failure(const ProgramResult *result, char **ret);
