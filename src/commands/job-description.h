/* SPDX-License-Identifier: Apache-2.0 */
/* The description of a long runner's job: the reply to its request, and to get_job_description
 * (docs/protocol, section 6). */
#pragma once

#include "proto/json.h"
#include "store/job-row.h"

int job_description(const StoredJob *j, struct json_object **ret_reply);
/* Describes the job of this number; replies with an error if there is none. */
int job_describe(Store *store, int64_t job_id, struct json_object **ret_reply);
/* Describes the job of a request. -ENOENT: it has none. */
int job_describe_guid(Store *store, const char *guid, struct json_object **ret_reply);
