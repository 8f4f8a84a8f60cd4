/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-manager/ledger-list.h"

int ledger_list_rows(sqlite3_stmt *q, int (*write)(sqlite3_stmt *q, struct json_object *o),
                     struct json_object **ret) {
    _cleanup_json_ struct json_object *list = json_object_new_array();
    int r = list ? 0 : -ENOMEM;

    while (r >= 0 && (r = ledger_step(q)) > 0) {
        struct json_object *o = json_object_new_object();

        if (!o || json_object_array_add(list, o) < 0) {
            (void)json_object_put(o);
            return -ENOMEM;
        }
        r = write(q, o);
    }
    if (r < 0)
        return r;
    *ret = TAKE_PTR(list);
    return 0;
}

static int make_next(struct json_object *last, const char *time_key, struct json_object **ret) {
    _cleanup_json_ struct json_object *next = json_object_new_object();

    if (!next)
        return -ENOMEM;
    TRY(json_add_int(next, time_key, json_object_get_int64(json_get(last, time_key))));
    TRY(json_add_string(next, "id", json_get_string(last, "id")));
    *ret = TAKE_PTR(next);
    return 0;
}

int ledger_list_parts(Ledger *s, Statement statement, const char *time_key,
                      int (*write)(sqlite3_stmt *q, struct json_object *o),
                      struct json_object *after, unsigned n, struct json_object **ret,
                      struct json_object **ret_next) {
    _cleanup_(statement_resetp) sqlite3_stmt *q = NULL;
    _cleanup_json_ struct json_object *list = NULL, *next = NULL;
    const char *id = after ? json_get_string(after, "id") : "";
    int64_t time = 0;

    if (after && (!id || json_to_integer(json_get(after, time_key), &time) < 0))
        return -EINVAL;
    TRY(ledger_query(s, statement, &q, "iti", time, id, (int64_t)n));
    TRY(ledger_list_rows(q, write, &list));
    if (json_object_array_length(list) == n)
        TRY(make_next(json_object_array_get_idx(list, n - 1), time_key, &next));
    *ret = TAKE_PTR(list);
    *ret_next = TAKE_PTR(next);
    return 0;
}
