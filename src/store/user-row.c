/* SPDX-License-Identifier: Apache-2.0 */
#include "store/user-row.h"

#include "basic/time-util.h"
#include "store/statement.h"

int store_add_user(Store *s, const StoredUser *user) {
    return store_change(s, STATEMENT_ADD_USER, false, "ttil", user->name, user->agent_id,
                        user->is_administrator, now_usec(CLOCK_REALTIME));
}

int store_remove_user(Store *s, const char *name) {
    return store_change(s, STATEMENT_REMOVE_USER, false, "t", name);
}

int store_has_user(Store *s, const char *name) {
    _cleanup_statement_ sqlite3_stmt *st = NULL;

    TRY(store_query(s, STATEMENT_HAS_USER, &st, "t", name));
    return store_step(s, st);
}

int store_visit_users(Store *s, int (*visit)(const StoredUser *user, void *userdata),
                      void *userdata) {
    _cleanup_statement_ sqlite3_stmt *st = NULL;
    int r;

    r = store_query(s, STATEMENT_LIST_USERS, &st, "");
    while (r >= 0 && (r = store_step(s, st)) > 0) {
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
    return r;
}
