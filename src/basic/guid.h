/* SPDX-License-Identifier: Apache-2.0 */
/* GUIDs of requests, and the names of units and directories derived from them. The manager chooses
 * the GUID; the derived names are safe as file names whatever it is. */
#pragma once

#include "basic/bounds.h"
#include "basic/macro.h"
#include "basic/sha256.h"

#define JOB_NAME_SIZE (GUID_PLAIN_MAX + 1)
#define JOB_UNIT_SIZE (sizeof("dcm-job-.service") + GUID_PLAIN_MAX)
#define FETCH_UNIT_SIZE (sizeof("dcm-fetch-.service") + GUID_PLAIN_MAX)

/* Valid UTF-8 of 1 to GUID_SIZE_MAX bytes without control characters and noncharacters
 * (basic/utf8.h). */
bool guid_is_valid(const char *guid);

/* The name of a GUID's directory: the GUID itself if it matches [A-Za-z0-9._-]{1,128} and does not
 * begin with a dot or "h-", otherwise "h-" and its SHA-256. Two GUIDs never share a name. */
void guid_to_job_name(const char *guid, char ret[static JOB_NAME_SIZE]);

/* "dcm-job-", the job name and ".service" */
void guid_to_unit_name(const char *guid, char ret[static JOB_UNIT_SIZE]);

/* "dcm-fetch-", the job name and ".service": the download before the job */
void guid_to_fetch_unit_name(const char *guid, char ret[static FETCH_UNIT_SIZE]);
