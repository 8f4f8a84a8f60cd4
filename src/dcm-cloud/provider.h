/* SPDX-License-Identifier: Apache-2.0 */
/* The table of clouds. */
#pragma once

#include "dcm-cloud/clouds.h"

/* In the order of preference of the Python agent. Only the first *ret_n_probed are detected; the
 * others must be configured. */
const Provider *providers(size_t *ret_n, size_t *ret_n_probed);
/* NULL: this type has no service to query. */
const Provider *provider_find(const char *type);
/* The address of the service, for people; or "". */
const char *provider_address(const Provider *p, const Question *q);
