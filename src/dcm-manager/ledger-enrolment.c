/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-manager/ledger-enrolment.h"

#include "dcm-manager/ledger-database.h"
#include "dcm-manager/ledger-list.h"
#include "dcm-manager/limits.h"

void ledger_enrolment_done(LedgerEnrolment *e) {
    free(e->id);
    free(e->group);
    free(e->name);
    *e = (LedgerEnrolment){};
}

/* Those that have ended make room. */
static int make_room(Ledger *s) {
    int64_t n = ledger_query_number(s, STATEMENT_ENROLMENT_COUNT);

    if (n < 0 || n < ENROLMENT_TOKENS_MAX)
        return (int)MIN(n, (int64_t)0);
    n = ledger_execute(s, STATEMENT_ENROLMENT_PURGE, "i", ledger_now());
    return n == 0 ? -EDQUOT : (int)MIN(n, (int64_t)0);
}

int ledger_add_enrolment(Ledger *s, const char *id, const char *secret_sha256, const char *group,
                         const char *name, int64_t expires, int64_t uses) {
    TRY(make_room(s));
    return MIN(ledger_execute(s, STATEMENT_ENROLMENT_ADD, "ttttiii", id, secret_sha256, group, name,
                              ledger_now(), expires, uses),
               0);
}

int ledger_find_enrolment(Ledger *s, const char *secret_sha256, LedgerEnrolment *ret) {
    _cleanup_(statement_resetp) sqlite3_stmt *q = NULL;
    _cleanup_(ledger_enrolment_done) LedgerEnrolment e = {.fault = ENROLMENT_UNKNOWN};
    int r;

    TRY(ledger_query(s, STATEMENT_ENROLMENT_FIND, &q, "t", secret_sha256));
    r = ledger_step(q);
    if (r < 0)
        return r;
    if (r > 0) {
        TRY(ledger_column_dup(q, 0, &e.id));
        TRY(ledger_column_dup(q, 1, &e.group));
        TRY(ledger_column_dup(q, 2, &e.name));
        e.fault = sqlite3_column_int(q, 3)                     ? ENROLMENT_REVOKED
                  : sqlite3_column_int(q, 4)                   ? ENROLMENT_USED_UP
                  : sqlite3_column_int64(q, 5) <= ledger_now() ? ENROLMENT_EXPIRED
                                                               : ENROLMENT_VALID;
    }
    *ret = e;
    e = (LedgerEnrolment){};
    return 0;
}

int ledger_use_enrolment(Ledger *s, const char *id) {
    int n = ledger_execute(s, STATEMENT_ENROLMENT_USE, "t", id);

    return n == 0 ? -ENOENT : MIN(n, 0);
}

int ledger_revoke_enrolment(Ledger *s, const char *id) {
    int n = ledger_execute(s, STATEMENT_ENROLMENT_REVOKE, "ti", id, ledger_now());

    return n == 0 ? -ENOENT : MIN(n, 0);
}

static int enrolment_to_json(sqlite3_stmt *q, struct json_object *o) {
    return ledger_add_text(o, "id", q, 0)
               ?: ledger_add_text(o, "group", q, 1)
               ?: ledger_add_text(o, "name", q, 2)
               ?: ledger_add_int(o, "created", q, 3)
               ?: ledger_add_int(o, "expires", q, 4)
               ?: ledger_add_int(o, "uses", q, 5)
               ?: ledger_add_int(o, "used", q, 6)
               ?: ledger_add_int(o, "revoked", q, 7);
}

int ledger_list_enrolments(Ledger *s, struct json_object **ret) {
    _cleanup_(statement_resetp) sqlite3_stmt *q = NULL;
    _cleanup_json_ struct json_object *list = NULL;

    TRY(ledger_query(s, STATEMENT_ENROLMENT_LIST, &q, ""));
    TRY(ledger_list_rows(q, enrolment_to_json, &list));
    *ret = TAKE_PTR(list);
    return 0;
}
