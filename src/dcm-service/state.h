/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "dcm-service/directory.h"

/* The state of a service in one line, "OK" if it is well. `ret_problem`: why it is not known, if it
 * is not; the result is -EIO then. The caller frees both. */
int service_state(const Services *s, const char *id, char **ret, char **ret_problem);
