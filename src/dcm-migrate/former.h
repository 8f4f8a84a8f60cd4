/* SPDX-License-Identifier: Apache-2.0 */
/* The database of the Python agent, read as far as it can be read. */
#pragma once

#include "basic/macro.h"

typedef struct Former Former;

typedef struct FormerRequest {
    const char *guid, *request, *reply, *state, *agent_id; /* all but guid and state may be NULL */
    const char *created;                                   /* local time; may be NULL */
} FormerRequest;

typedef struct FormerAlert {
    uint64_t time_ms;
    const char *subject;
} FormerAlert;

/* Opens a copy that this program may repair: what the former agent left in a journal is taken back.
 * -EUCLEAN: it is no database. */
int former_open(const char *path, Former **ret);
Former *former_close(Former *f);
DEFINE_CLEANUP(Former *, former_close)

/* Visits the rows, the oldest first. 1: all; 0: the database is damaged, and the rows that can be
 * read were visited, some perhaps twice. A negative result of the callback ends the visit and is
 * returned. */
int former_visit_requests(Former *f, int (*visit)(const FormerRequest *row, void *userdata),
                          void *userdata);
int former_visit_alerts(Former *f, int (*visit)(const FormerAlert *row, void *userdata),
                        void *userdata);
