/* SPDX-License-Identifier: Apache-2.0 */
#include "store/user-row.h"

#include "basic/time-util.h"
#include "store/statement.h"

int store_add_user(Store *s, const StoredUser *user) {
    _cleanup_statement_ sqlite3_stmt *st = NULL;
    int r;

    r = store_statement(s, STATEMENT_ADD_USER, &st);
    if (r < 0)
        return r;
    store_bind_text(st, 1, user->name);
    store_bind_text(st, 2, user->agent_id);
    (void)sqlite3_bind_int(st, 3, user->is_administrator);
    store_bind_usec(st, 4, now_usec(CLOCK_REALTIME));
    return store_run_change(s, st, false);
}

int store_remove_user(Store *s, const char *name) {
    _cleanup_statement_ sqlite3_stmt *st = NULL;
    int r;

    r = store_statement(s, STATEMENT_REMOVE_USER, &st);
    if (r < 0)
        return r;
    store_bind_text(st, 1, name);
    return store_run_change(s, st, false);
}

int store_has_user(Store *s, const char *name) {
    _cleanup_statement_ sqlite3_stmt *st = NULL;
    int r;

    r = store_statement(s, STATEMENT_HAS_USER, &st);
    if (r < 0)
        return r;
    store_bind_text(st, 1, name);
    r = sqlite3_step(st);
    if (r != SQLITE_ROW && r != SQLITE_DONE)
        return store_sqlite_error(s, r);
    return r == SQLITE_ROW;
}

int store_visit_users(Store *s, int (*visit)(const StoredUser *user, void *userdata),
                      void *userdata) {
    _cleanup_statement_ sqlite3_stmt *st = NULL;
    int r;

    r = store_statement(s, STATEMENT_LIST_USERS, &st);
    if (r < 0)
        return r;
    while ((r = sqlite3_step(st)) == SQLITE_ROW) {
        StoredUser user = {
            .name = (const char *)sqlite3_column_text(st, 0),
            .agent_id = (const char *)sqlite3_column_text(st, 1),
            .is_administrator = sqlite3_column_int(st, 2),
            .created_usec = (uint64_t)sqlite3_column_int64(st, 3),
        };

        r = user.name ? visit(&user, userdata) : -ENOMEM;
        if (r != 0)
            return MIN(r, 0);
    }
    return r == SQLITE_DONE ? 0 : store_sqlite_error(s, r);
}
