/* SPDX-License-Identifier: Apache-2.0 */
/* Each added row updates the sum; after a rollback or a removal the next query sums up again. */
#include "store/output-row.h"

#include "store/statement.h"

int store_add_output(Store *s, const char *guid, uint64_t bytes) {
    int r;

    r = store_change(s, STATEMENT_ADD_OUTPUT, false, "tll", guid, bytes, store_running_usec(s));
    if (r < 0 || sqlite3_changes(s->db) == 0)
        return r;
    s->output_bytes += bytes;
    if (s->on_output)
        s->on_output(s->output_userdata);
    return 0;
}

int store_remove_output(Store *s, const char *guid) {
    s->outputs_summed = false;
    return store_change(s, STATEMENT_REMOVE_OUTPUT, false, "t", guid);
}

int store_sum_outputs(Store *s, uint64_t *ret) {
    _cleanup_statement_ sqlite3_stmt *st = NULL;
    int r;

    if (!s->outputs_summed) {
        r = store_query(s, STATEMENT_SUM_OUTPUTS, &st, "");
        if (r >= 0)
            r = store_step(s, st);
        if (r <= 0)
            return r < 0 ? r : -EUCLEAN;
        s->output_bytes = (uint64_t)sqlite3_column_int64(st, 0);
        s->outputs_summed = true;
    }
    *ret = s->output_bytes;
    return 0;
}

int store_visit_outputs(Store *s, unsigned limit, unsigned skip, StoreOutputVisitor visit,
                        void *userdata) {
    _cleanup_statement_ sqlite3_stmt *st = NULL;
    uint64_t now = store_running_usec(s), stored;
    int r;

    r = store_query(s, STATEMENT_LIST_OUTPUTS, &st, "uu", limit, skip);
    while (r >= 0 && (r = store_step(s, st)) > 0) {
        stored = (uint64_t)sqlite3_column_int64(st, 2);
        r = visit((const char *)sqlite3_column_text(st, 0), (uint64_t)sqlite3_column_int64(st, 1),
                  now > stored ? now - stored : 0, userdata);
        if (r != 0)
            return MIN(r, 0);
    }
    return r;
}

void store_set_on_output(Store *s, void (*on_output)(void *userdata), void *userdata) {
    s->on_output = on_output;
    s->output_userdata = userdata;
}
