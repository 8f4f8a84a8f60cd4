/* SPDX-License-Identifier: Apache-2.0 */
/* A store in a directory of its own, and rows for it. */
#pragma once

#include <glib.h>

#include "store/request-row.h"
#include "temporary.h"

#define HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

typedef struct Fixture {
    char *dir, *path;
    Store *store;
} Fixture;

static inline void fixture_done(Fixture *f) {
    store_close(f->store);
    g_free(f->path);
    temporary_remove(&f->dir);
}
#define _cleanup_fixture_ _cleanup_(fixture_done)

static inline void fixture_init(Fixture *f) {
    f->dir = temporary_new();
    f->path = g_build_filename(f->dir, "agent.db", NULL);
    g_assert_cmpint(store_open(f->path, &f->store), ==, 0);
}

static inline void reopen(Fixture *f) {
    f->store = store_close(f->store);
    g_assert_cmpint(store_open(f->path, &f->store), ==, 0);
}

static inline int insert(Store *s, const char *guid, RequestState state, const char *agent_id,
                         const char *payload) {
    StoredRequest r = {.guid = (char *)(uintptr_t)guid,
                       .agent_id = (char *)(uintptr_t)agent_id,
                       .command = (char[]){"run_script"},
                       .state = state,
                       .payload = (char *)(uintptr_t)payload,
                       .payload_sha256 = HASH,
                       .accepted_usec = 1700000000000001};

    return store_insert_request(s, &r);
}

static inline void insert_committed(Store *s, const char *guid, RequestState state) {
    g_assert_cmpint(store_begin(s), ==, 0);
    g_assert_cmpint(insert(s, guid, state, "agent-1", "{}"), ==, 0);
    g_assert_cmpint(store_commit(s), ==, 0);
}

static inline bool exists(Store *s, const char *guid) {
    _cleanup_(stored_request_done) StoredRequest row = {};
    int r = store_load_request(s, guid, true, &row);

    g_assert_true(r == 0 || r == -ENOENT);
    return r == 0;
}

static inline RequestState state_of(Store *s, const char *guid) {
    _cleanup_(stored_request_done) StoredRequest row = {};

    g_assert_cmpint(store_load_request(s, guid, false, &row), ==, 0);
    return row.state;
}
