/* SPDX-License-Identifier: Apache-2.0 */
#include "store/stat-row.h"

#include "store/statement.h"

int store_set_stat(Store *s, const StoredStat *stat) {
    _cleanup_statement_ sqlite3_stmt *st = NULL;
    int r;

    r = store_statement(s, STATEMENT_SET_STAT, &st);
    if (r < 0)
        return r;
    store_bind_text(st, 1, stat->name);
    store_bind_text(st, 2, stat->type);
    (void)sqlite3_bind_int64(st, 3, (int64_t)stat->hold);
    store_bind_usec(st, 4, stat->interval_usec);
    return store_run_change(s, st, false);
}

int store_remove_stat(Store *s, const char *name) {
    _cleanup_statement_ sqlite3_stmt *st = NULL;
    int r;

    r = store_statement(s, STATEMENT_REMOVE_STAT, &st);
    if (r < 0)
        return r;
    store_bind_text(st, 1, name);
    return store_run_change(s, st, false);
}

int store_visit_stats(Store *s, int (*visit)(const StoredStat *stat, void *userdata),
                      void *userdata) {
    _cleanup_statement_ sqlite3_stmt *st = NULL;
    int r;

    r = store_statement(s, STATEMENT_LIST_STATS, &st);
    if (r < 0)
        return r;
    while ((r = sqlite3_step(st)) == SQLITE_ROW) {
        const StoredStat stat = {
            .name = (const char *)sqlite3_column_text(st, 0),
            .type = (const char *)sqlite3_column_text(st, 1),
            .hold = (uint64_t)sqlite3_column_int64(st, 2),
            .interval_usec = (uint64_t)sqlite3_column_int64(st, 3),
        };

        r = stat.name && stat.type ? visit(&stat, userdata) : -ENOMEM;
        if (r != 0)
            return MIN(r, 0);
    }
    return r == SQLITE_DONE ? 0 : store_sqlite_error(s, r);
}
