/* SPDX-License-Identifier: Apache-2.0 */
/* configure_service, configure_service_with_ssl, grant_database_access, revoke_database_access:
 * what they give to a hook is secret, and comes in the job's credentials. */
#pragma once

#include "dcm-service/hook.h"
#include "proto/json.h"

/* 0: *ret has what the hook wrote and its status. -EIO, -EINVAL, -ENOENT: it was not run; this has
 * been logged. A service without the hook needs none: status 0. */
int service_configure(const Services *s, struct json_object *arguments, ProgramResult *ret);

/* The same for the hook dbgrant or dbrevoke; `secret` is the argument with the configuration. A
 * hook that cannot be executed: status 10. */
int service_database(const Services *s, struct json_object *arguments, const char *hook,
                     const char *secret, ProgramResult *ret);
