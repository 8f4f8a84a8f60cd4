/* SPDX-License-Identifier: Apache-2.0 */
/* A table is read by row number upward until a damaged page ends it, then downward: so a damaged
 * place loses only its own rows. */
#include "dcm-migrate/former.h"

#include <sqlite3.h>

struct Former {
    sqlite3 *db;
};

int former_open(const char *path, Former **ret) {
    _cleanup_(former_closep) Former *f = calloc(1, sizeof(*f));
    int r;

    if (!f)
        return -ENOMEM;
    r = sqlite3_open_v2(path, &f->db, SQLITE_OPEN_READWRITE, NULL);
    if (r != SQLITE_OK)
        return r == SQLITE_NOMEM ? -ENOMEM : -EIO;
    /* text that claims to be more than it is, is an error and no read beyond the page */
    r = sqlite3_exec(f->db,
                     "PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF;"
                     "SELECT count(*) FROM sqlite_schema",
                     NULL, NULL, NULL);
    if (r != SQLITE_OK)
        return r == SQLITE_NOMEM ? -ENOMEM : -EUCLEAN;
    *ret = TAKE_PTR(f);
    return 0;
}

Former *former_close(Former *f) {
    if (!f)
        return NULL;
    (void)sqlite3_close_v2(f->db);
    free(f);
    return NULL;
}

static const char *text(sqlite3_stmt *st, int column) {
    return (const char *)sqlite3_column_text(st, column);
}

/* 1: to the end; 0: up to a damaged place. */
static int visit_rows(Former *f, const char *sql, int (*visit)(sqlite3_stmt *st, void *userdata),
                      void *userdata) {
    sqlite3_stmt *st = NULL;
    int r, k = 0;

    r = sqlite3_prepare_v2(f->db, sql, -1, &st, NULL);
    while (r == SQLITE_OK && k >= 0 && (r = sqlite3_step(st)) == SQLITE_ROW) {
        k = visit(st, userdata);
        r = SQLITE_OK;
    }
    (void)sqlite3_finalize(st);
    if (k < 0)
        return k;
    return r == SQLITE_NOMEM ? -ENOMEM : r == SQLITE_DONE;
}

static int visit_both_ways(Former *f, const char *up, const char *down,
                           int (*visit)(sqlite3_stmt *st, void *userdata), void *userdata) {
    int r = visit_rows(f, up, visit, userdata);

    if (r != 0)
        return r;
    TRY(visit_rows(f, down, visit, userdata));
    return 0;
}

typedef struct Visit {
    int (*on_request)(const FormerRequest *row, void *userdata);
    int (*on_alert)(const FormerAlert *row, void *userdata);
    void *userdata;
} Visit;

static int take_request(sqlite3_stmt *st, void *userdata) {
    const Visit *v = userdata;
    const FormerRequest row = {
        .guid = text(st, 0),
        .request = text(st, 1),
        .reply = text(st, 2),
        .state = text(st, 3),
        .agent_id = text(st, 4),
        .created = text(st, 5),
    };

    return row.guid && row.state ? v->on_request(&row, v->userdata) : 0;
}

int former_visit_requests(Former *f, int (*visit)(const FormerRequest *row, void *userdata),
                          void *userdata) {
#define REQUESTS                                                                                   \
    "SELECT request_id, request_doc, reply_doc, state, agent_id, creation_time FROM requests"      \
    " NOT INDEXED ORDER BY rowid"
    return visit_both_ways(f, REQUESTS, REQUESTS " DESC", take_request,
                           &(Visit){.on_request = visit, .userdata = userdata});
}

static int take_alert(sqlite3_stmt *st, void *userdata) {
    const Visit *v = userdata;
    const FormerAlert row = {
        .time_ms = (uint64_t)sqlite3_column_int64(st, 0),
        .subject = text(st, 1),
    };

    return row.subject ? v->on_alert(&row, v->userdata) : 0;
}

int former_visit_alerts(Former *f, int (*visit)(const FormerAlert *row, void *userdata),
                        void *userdata) {
#define ALERTS "SELECT alert_time, subject FROM alerts NOT INDEXED ORDER BY rowid"
    return visit_both_ways(f, ALERTS, ALERTS " DESC", take_alert,
                           &(Visit){.on_alert = visit, .userdata = userdata});
}
