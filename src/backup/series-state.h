/* SPDX-License-Identifier: Apache-2.0 */
/* The state of each series of backups, in a file that dcm-backup writes and the agent reads. It has
 * no secret. */
#pragma once

#include "basic/macro.h"
#include "proto/json.h"

#define SERIES_STATE_FILE "var/lib/dcm-backups/status.json" /* below the root directory */

typedef enum SeriesOutcome {
    SERIES_NONE, /* only scheduled so far */
    SERIES_RUNNING,
    SERIES_COMPLETE,
    SERIES_FAILED,
    _SERIES_OUTCOME_MAX,
} SeriesOutcome;

extern const char *const series_outcome_names[_SERIES_OUTCOME_MAX];

/* Times are microseconds since 1970, 0: never. */
typedef struct SeriesState {
    char *name;
    SeriesOutcome outcome; /* of the last backup */
    uint64_t begin_usec, end_usec;
    char *error; /* NULL: it did not fail */
    /* the newest complete one, if there is any */
    char *object;
    uint64_t success_usec, size_bytes, verified_usec;
    unsigned copies;
    char *schedule;    /* a calendar event; NULL: none */
    uint64_t due_usec; /* when another one should have begun at the latest */
} SeriesState;

typedef struct SeriesStates {
    SeriesState *series;
    size_t n;
} SeriesStates;

void series_states_done(SeriesStates *s);
int series_states_to_json(const SeriesStates *s, struct json_object **ret);
/* -EBADMSG: it is none, or of another version. */
int series_states_from_json(struct json_object *o, SeriesStates *ret);
/* Reads the file below a root directory; none is no series. */
int series_states_read(int root_fd, SeriesStates *ret);
/* Whether a backup should have begun, and has not. */
bool series_state_is_overdue(const SeriesState *s, uint64_t now_usec) _pure_;
