/* SPDX-License-Identifier: Apache-2.0 */
/* What is told of a long runner's job: the reply to its request, and to get_job_description
 * (docs/protocol, section 6). */
#pragma once

#include "proto/json.h"
#include "store/job-row.h"

int job_description(const StoredJob *j, struct json_object **ret_reply);
/* Of the job with that number; an error reply if there is none. */
int job_describe(Store *store, int64_t job_id, struct json_object **ret_reply);
/* Of a request's job. -ENOENT: it has none. */
int job_describe_guid(Store *store, const char *guid, struct json_object **ret_reply);
