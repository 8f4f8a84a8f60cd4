/* SPDX-License-Identifier: Apache-2.0 */
/* GUIDs of requests, and the names of units and directories that are made of them. A GUID is any
 * text the manager chose; what becomes a file name is safe by construction. */
#pragma once

#include "basic/bounds.h"
#include "basic/macro.h"
#include "basic/sha256.h"

#define JOB_NAME_SIZE (GUID_PLAIN_MAX + 1)
#define JOB_UNIT_SIZE (sizeof("dcm-job-.service") + GUID_PLAIN_MAX)
#define FETCH_UNIT_SIZE (sizeof("dcm-fetch-.service") + GUID_PLAIN_MAX)

/* Non-empty, at most GUID_SIZE_MAX bytes, no control characters. */
bool guid_is_valid(const char *guid);

/* The name of a GUID's directory: itself if it is [A-Za-z0-9._-]{1,128} and does not begin with a
 * dot or "h-", else "h-" and its SHA-256. Two GUIDs never share a name. */
void guid_to_job_name(const char *guid, char ret[static JOB_NAME_SIZE]);

/* "dcm-job-" + that name + ".service" */
void guid_to_unit_name(const char *guid, char ret[static JOB_UNIT_SIZE]);

/* "dcm-fetch-" + that name + ".service": the download before the job */
void guid_to_fetch_unit_name(const char *guid, char ret[static FETCH_UNIT_SIZE]);
