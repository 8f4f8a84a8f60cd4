/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-manager/ledger-waiting.h"

#include "basic/utf8.h"
#include "dcm-manager/ledger-agent.h"
#include "dcm-manager/ledger-database.h"
#include "dcm-manager/ledger-list.h"
#include "dcm-manager/limits.h"

int ledger_find_waiting(Ledger *s, const char *token_sha256, LedgerWaiting *ret) {
    _cleanup_(statement_resetp) sqlite3_stmt *q = NULL;
    int r;

    TRY(ledger_query(s, STATEMENT_WAITING_FIND, &q, "t", token_sha256));
    r = ledger_step(q);
    if (r <= 0)
        return r < 0 ? r : -ENOENT;
    (void)utf8_format(ret->id, sizeof(ret->id), "%s",
                      strempty((const char *)sqlite3_column_text(q, 0)));
    ret->is_rejected = sqlite3_column_int(q, 1);
    return 0;
}

/* Several at once, so that not every stranger triggers a search, also if each has an address of its
 * own. */
static int make_room(Ledger *s, unsigned *ret_evicted) {
    int64_t n = ledger_query_number(s, STATEMENT_WAITING_COUNT);
    int r;

    *ret_evicted = 0;
    if (n < 0 || n < WAITING_MAX)
        return (int)MIN(n, (int64_t)0);
    r = ledger_execute(s, STATEMENT_WAITING_EVICT, "i", (int64_t)WAITING_EVICTED_AT_ONCE);
    if (r > 0)
        *ret_evicted = (unsigned)r;
    return MIN(r, 0);
}

/* Those that a row has room for. */
static struct json_object *shorten(struct json_object *addresses) {
    struct json_object *list = json_object_new_array();

    for (size_t i = 0; list && addresses && i < json_object_array_length(addresses) &&
                       json_object_array_length(list) < WAITING_ADDRESSES_MAX;
         i++) {
        struct json_object *address = json_object_array_get_idx(addresses, i);

        if ((size_t)json_object_get_string_len(address) > WAITING_ADDRESS_SIZE_MAX)
            continue;
        if (json_object_array_add(list, json_object_get(address)) < 0)
            (void)json_object_put(address);
    }
    return list;
}

int ledger_note_waiting(Ledger *s, const Offer *o, const char *source, const char *peer) {
    _cleanup_json_ struct json_object *ipv4 = shorten(o->ipv4), *ipv6 = shorten(o->ipv6);

    return MIN(ledger_execute(s, STATEMENT_WAITING_SEEN,
                              "titt"
                              "tttttt"
                              "ttt",
                              o->token_sha256, ledger_now(), source, peer, o->agent_id,
                              o->host_name, o->vm_instance, o->injected_id, o->version, o->platform,
                              o->platform_version, ledger_json_text(ipv4), ledger_json_text(ipv6)),
               0);
}

int ledger_add_waiting(Ledger *s, const char *id, const Offer *o, const char *source,
                       const char *peer, unsigned *ret_evicted) {
    int r;

    TRY(make_room(s, ret_evicted));
    r = ledger_execute(s, STATEMENT_WAITING_ADD,
                       "ttt"
                       "ti",
                       id, o->token_sha256, source, peer, ledger_now());
    if (r <= 0)
        return r < 0 ? r : -EEXIST;
    return ledger_note_waiting(s, o, source, peer);
}

int ledger_match_waiting(Ledger *s, const char *text, char **ret_id) {
    _cleanup_(statement_resetp) sqlite3_stmt *q = NULL;
    _cleanup_free_ char *id = NULL;
    int r, how;

    TRY(ledger_query(s, STATEMENT_WAITING_MATCH, &q, "ti", text, (int64_t)FINGERPRINT_MIN));
    r = ledger_step(q);
    if (r <= 0)
        return r < 0 ? r : -ENOENT;
    how = sqlite3_column_int(q, 1);
    r = ledger_column_dup(q, 0, &id);
    if (r >= 0)
        r = ledger_step(q);
    if (r < 0)
        return r;
    if (r > 0 && sqlite3_column_int(q, 1) == how)
        return -ENOTUNIQ;
    *ret_id = TAKE_PTR(id);
    return 0;
}

int ledger_reject_waiting(Ledger *s, const char *id) {
    return MIN(ledger_execute(s, STATEMENT_WAITING_REJECT, "ti", id, ledger_now()), 0);
}

int ledger_remove_waiting(Ledger *s, const char *token_sha256) {
    return MIN(ledger_execute(s, STATEMENT_WAITING_REMOVE, "t", token_sha256), 0);
}

int ledger_remove_waiting_id(Ledger *s, const char *id) {
    return MIN(ledger_execute(s, STATEMENT_WAITING_REMOVE_ID, "t", id), 0);
}

static int waiting_to_json(sqlite3_stmt *q, struct json_object *o) {
    return ledger_add_text(o, "id", q, 0)
               ?: ledger_add_text(o, "agent_id", q, 1)
               ?: ledger_add_text(o, "host_name", q, 2)
               ?: ledger_add_text(o, "vm_instance", q, 3)
               ?: ledger_add_text(o, "injected_id", q, 4)
               ?: ledger_add_text(o, "version", q, 5)
               ?: ledger_add_text(o, "platform", q, 6)
               ?: ledger_add_text(o, "platform_version", q, 7)
               ?: ledger_add_parsed(o, "ipv4", q, 8)
               ?: ledger_add_parsed(o, "ipv6", q, 9)
               ?: ledger_add_text(o, "peer", q, 10)
               ?: ledger_add_int(o, "first_seen", q, 11)
               ?: ledger_add_int(o, "last_seen", q, 12)
               ?: ledger_add_int(o, "rejected", q, 13)
               ?: ledger_add_text(o, "fingerprint", q, 14);
}

int ledger_list_waiting(Ledger *s, struct json_object *after, unsigned n, struct json_object **ret,
                        struct json_object **ret_next) {
    return ledger_list_parts(s, STATEMENT_WAITING_LIST, "first_seen", waiting_to_json, after, n,
                             ret, ret_next);
}
