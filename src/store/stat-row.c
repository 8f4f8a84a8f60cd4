/* SPDX-License-Identifier: Apache-2.0 */
#include "store/stat-row.h"

#include "store/statement.h"

int store_set_stat(Store *s, const StoredStat *stat) {
    return store_change(s, STATEMENT_SET_STAT, false, "ttll", stat->name, stat->type, stat->hold,
                        stat->interval_usec);
}

int store_remove_stat(Store *s, const char *name) {
    return store_change(s, STATEMENT_REMOVE_STAT, false, "t", name);
}

int store_visit_stats(Store *s, int (*visit)(const StoredStat *stat, void *userdata),
                      void *userdata) {
    _cleanup_statement_ sqlite3_stmt *st = NULL;
    int r;

    r = store_query(s, STATEMENT_LIST_STATS, &st, "");
    while (r >= 0 && (r = store_step(s, st)) > 0) {
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
    return r;
}
