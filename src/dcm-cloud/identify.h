/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "dcm-cloud/provider.h"

/* Determines the cloud and the identity of this server in it: the configured cloud, else the one
 * that the firmware names, else the first in the order of preference that answers; all of these are
 * queried in parallel. `type` NULL: to be detected. Returns only internal errors: a cloud that does
 * not answer becomes a `problem`. */
int identify(const char *type, const Question *q, CloudIdentity *ret);
/* The script for the first start of this server. -ENODATA: this cloud has none. The caller frees
 * it. */
int identify_script(const char *type, const Question *q, char **ret, size_t *ret_size);
