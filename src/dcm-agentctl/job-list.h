/* SPDX-License-Identifier: Apache-2.0 */
/* The waiting and running jobs from the agent, with the usage of their units from systemd. */
#pragma once

#include "dcm-agentctl/ctl.h"

typedef struct JobRow {
    const char *guid, *command, *kind, *state, *unit; /* belong to the list */
    uint32_t position;
    uint64_t accepted_usec;
    int32_t percent; /* of its progress; -1: unknown */
    const char *progress;
    uint64_t cpu_nsec, memory; /* UINT64_MAX: unknown */
} JobRow;

typedef struct JobList {
    sd_bus_message *message;
    JobRow *rows;
    JobRow **by_guid; /* sorted */
    size_t n;
} JobList;

/* Does not print errors. */
int job_list_load(const Context *c, sd_bus_error *error, JobList *ret);
void job_list_done(JobList *l);
const JobRow *job_list_find(const JobList *l, const char *guid);

/* Queries systemd for the unit's current usage. */
void job_row_measure(const Context *c, JobRow *row);

/* `state` NULL: the row's own. NULL: no memory. */
struct json_object *job_row_to_json(const JobRow *row, const char *state);
/* How such objects are listed. */
extern const Listing job_listing;
