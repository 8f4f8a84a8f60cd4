/* SPDX-License-Identifier: Apache-2.0 */
/* The clouds, and how each is asked who this server is. */
#pragma once

#include "dcm-cloud/clouds.h"

/* In the order of preference of the Python agent; those after the last that is worth a probe can be
 * configured only. */
const Provider *providers(size_t *ret_n, size_t *ret_n_probed);
/* NULL: that type has nothing to ask. */
const Provider *provider_find(const char *type);
/* The address of the service, for people; or "". */
const char *provider_address(const Provider *p, const Question *q);
