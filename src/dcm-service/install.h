/* SPDX-License-Identifier: Apache-2.0 */
/* install_service. */
#pragma once

#include "dcm-service/directory.h"
#include "proto/json.h"

/* The exit status: 1 failed; 20 the image cannot be read; otherwise that of dcm-unpack. What failed
 * has been logged. */
int service_install(const Services *s, struct json_object *arguments);
