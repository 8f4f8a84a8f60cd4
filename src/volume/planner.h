/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the planner share: one run of it, and the steps that it has so far. Functions
 * return 0, 1 (refused) or a negative errno. */
#pragma once

#include "basic/bounds.h"
#include "volume/plan.h"

typedef int (*UuidFunction)(void *userdata, char ret[static 37]);

typedef struct Planner {
    const Facts *facts;
    const VolumeRequest *request;
    const Plan *records; /* of all requests */
    size_t n_records;
    const Plan *previous; /* the record of the same request, whatever it is worth; NULL: none */
    const Plan *earlier;  /* the same, if this run goes on from it */
    bool is_anew;         /* `force`: it does not */
    UuidFunction uuid;
    void *userdata;
    const Block *members[VOLUME_DEVICES_MAX]; /* the devices of the request that are attached */
    size_t n_members;
    char **absent;    /* names of those that are not: of an array that may do without them */
    const Block *raw; /* the array, or the only device; NULL: not there yet */
    const Block *top; /* what has the file system: `raw`, or its mapping; NULL: not there yet */
    Plan *plan;
    Refusal *refusal;
} Planner;

/* The state of a step in a record (may be NULL); pending if it has no such step. */
StepState planner_state_of(const Plan *record, StepType type) _pure_;
/* The state of a step in the record; pending if it has no such step, or there is no record. */
StepState planner_state(const Planner *p, StepType type) _pure_;
bool planner_has(const Planner *p, StepType type) _pure_;

/* Adds a step; *ret belongs to the plan, until the next one is added. */
int planner_add(Planner *p, StepType type, StepState state, Step **ret);
int step_add_block(Step *s, const Block *b);
int step_add_path(Step *s, const char *path);
int step_set(Step *s, const char *result, const char *uuid);

/* Keeps what the record says of steps that this plan does not reach yet. */
int planner_keep_later(Planner *p);

/* Adds a line to the notes. */
int planner_note(Planner *p, const char *format, ...) _printf_(2, 3);

/* A UUID that is nowhere on this machine. The caller frees. */
int planner_new_uuid(Planner *p, char **ret);

/* Names below /dev/md and /dev/mapper, from the mount point and the device. */
int planner_name_array(Planner *p);
int planner_name_mapping(Planner *p);

/* "/dev/md/NAME", "/dev/mapper/NAME"; the caller frees. */
int planner_array_path(const Planner *p, char **ret);
int planner_mapping_path(const Planner *p, char **ret);

/* "missing-program" for what the steps that are left need. */
int planner_check_programs(Planner *p);
