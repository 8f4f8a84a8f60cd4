/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs about who may be an agent. Each returns the exit status. */
#pragma once

#include "dcm-manager/options.h"
#include "proto/json.h"

int cli_accept(const Options *o);
int cli_reject(const Options *o);
int cli_revoke(const Options *o);
int cli_forget(const Options *o);
int cli_replace(const Options *o);
int cli_enrol_token(const Options *o);

/* Has the running manager make an enrolment token; `name` may be NULL. Returns an exit status. */
int cli_make_enrolment_token(const Options *o, const char *name, uint64_t uses,
                             struct json_object **ret);
