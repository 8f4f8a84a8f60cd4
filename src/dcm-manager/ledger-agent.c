/* SPDX-License-Identifier: Apache-2.0 */
/* Agents. The database has only the SHA-256 of a token. */
#include "dcm-manager/ledger-agent.h"

#include "basic/utf8.h"
#include "dcm-manager/ledger-database.h"
#include "dcm-manager/ledger-list.h"
#include "dcm-manager/limits.h"

void ledger_agent_done(LedgerAgent *a) {
    free(a->id);
    free(a->claimed);
    free(a->server_id);
    free(a->name);
    free(a->vm_instance);
    free(a->group);
    free(a->platform);
    free(a->platform_version);
    *a = (LedgerAgent){};
}

static int read_agent(sqlite3_stmt *q, LedgerAgent *ret) {
    _cleanup_(ledger_agent_done) LedgerAgent a = {};
    int r;

    r = ledger_step(q);
    if (r <= 0)
        return r < 0 ? r : -ENOENT;
    TRY(ledger_column_dup(q, 0, &a.id));
    TRY(ledger_column_dup(q, 1, &a.claimed));
    TRY(ledger_column_dup(q, 2, &a.server_id));
    TRY(ledger_column_dup(q, 3, &a.name));
    TRY(ledger_column_dup(q, 4, &a.vm_instance));
    a.stale_told = sqlite3_column_int64(q, 5);
    a.is_used = sqlite3_column_int(q, 6);
    a.is_revoked = sqlite3_column_int(q, 7);
    TRY(ledger_column_dup(q, 8, &a.group));
    TRY(ledger_column_dup(q, 9, &a.platform));
    TRY(ledger_column_dup(q, 10, &a.platform_version));
    *ret = a;
    a = (LedgerAgent){};
    return 0;
}

int ledger_find_agent_by_token(Ledger *s, const char *token_sha256, LedgerAgent *ret) {
    _cleanup_(statement_resetp) sqlite3_stmt *q = NULL;

    TRY(ledger_query(s, STATEMENT_AGENT_BY_TOKEN, &q, "t", token_sha256));
    return read_agent(q, ret);
}

int ledger_find_agent_by_id(Ledger *s, const char *id, LedgerAgent *ret) {
    _cleanup_(statement_resetp) sqlite3_stmt *q = NULL;

    TRY(ledger_query(s, STATEMENT_AGENT_BY_ID, &q, "t", id));
    return read_agent(q, ret);
}

/* Rows are ordered by quality of the match: two of the best kind are ambiguous. */
int ledger_match_agent(Ledger *s, const char *text, char **ret_id) {
    _cleanup_(statement_resetp) sqlite3_stmt *q = NULL;
    _cleanup_free_ char *id = NULL;
    int r, how;

    r = ledger_query(s, STATEMENT_AGENT_MATCH, &q, "t", text);
    if (r >= 0)
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

static int find_unused(Ledger *s, char **ret) {
    _cleanup_(statement_resetp) sqlite3_stmt *q = NULL;
    int r;

    r = ledger_query(s, STATEMENT_AGENT_UNUSED, &q, "");
    if (r >= 0)
        r = ledger_step(q);
    if (r <= 0)
        return r < 0 ? r : -EUSERS;
    return ledger_column_dup(q, 0, ret);
}

int ledger_remove_agent(Ledger *s, const char *id) {
    int r;

    r = ledger_execute(s, STATEMENT_LOG_TRIM, "tii", id, (int64_t)0, (int64_t)0);
    if (r >= 0)
        r = ledger_execute(s, STATEMENT_ALERT_TRIM, "tii", id, (int64_t)0, (int64_t)0);
    if (r >= 0)
        r = ledger_execute(s, STATEMENT_KEPT_REMOVE, "t", id);
    if (r >= 0)
        r = ledger_execute(s, STATEMENT_AGENT_REMOVE, "t", id);
    if (r > 0)
        s->n_agents -= r;
    return MIN(r, 0);
}

/* Anybody who reaches the port can register: unused agents displace each other, and never one that
 * an operator has named or given an order. */
static int make_room(Ledger *s) {
    _cleanup_free_ char *id = NULL;
    int64_t n = ledger_query_number(s, STATEMENT_AGENT_COUNT_UNUSED);

    if (n < 0)
        return (int)n;
    if (n < AGENTS_UNUSED_MAX && s->n_agents < AGENTS_MAX)
        return 0;
    TRY(find_unused(s, &id));
    return ledger_remove_agent(s, id);
}

int ledger_add_agent(Ledger *s, const char *id, const char *server_id, const Offer *o) {
    int r;

    r = make_room(s);
    if (r >= 0)
        r = ledger_execute(s, STATEMENT_AGENT_ADD, "ttttti", id, server_id, o->token_sha256,
                           o->agent_id, o->vm_instance, ledger_now());
    if (r < 0)
        return r;
    s->n_agents += r;
    return r > 0 ? 0 : -EEXIST;
}

/* Whether an agent has that name or id, or one that waits has that id. */
static int takes_name(Ledger *s, const char *name) {
    _cleanup_(statement_resetp) sqlite3_stmt *q = NULL;

    TRY(ledger_query(s, STATEMENT_AGENT_TAKES, &q, "t", name));
    return ledger_step(q);
}

/* The id of what waits has never been an agent's, so one of that name is the only conflict. */
int ledger_accept_waiting(Ledger *s, const char *id, const char *name) {
    const char *dash = strchr(id, '-');
    char server[64];
    int r;

    r = name ? takes_name(s, name) : 0;
    if (r != 0 && !(name && streq(name, id)))
        return r < 0 ? r : -EEXIST;
    TRY(make_room(s));
    (void)utf8_format(server, sizeof(server), "server%s", strempty(dash));
    r = ledger_execute(s, STATEMENT_WAITING_ACCEPT, "ttti", id, server,
                       name && streq(name, id) ? NULL : name, ledger_now());
    if (r <= 0)
        return r < 0 ? r : -ENOENT;
    s->n_agents++;
    return 0;
}

int ledger_note_enrolment(Ledger *s, const char *id, const char *token_id, const char *group) {
    return MIN(ledger_execute(s, STATEMENT_AGENT_ENROL, "ttt", id, group, token_id), 0);
}

int ledger_revoke_agent(Ledger *s, const char *id, bool for_good) {
    return MIN(
        ledger_execute(s, STATEMENT_AGENT_REVOKE, "tii", id, ledger_now(), (int64_t)for_good), 0);
}

int ledger_restore_agent(Ledger *s, const char *id) {
    int n = ledger_execute(s, STATEMENT_AGENT_RESTORE, "t", id);

    return n == 0 ? -ENOENT : MIN(n, 0);
}

typedef struct Secrets {
    char *token, *claimed, *vm_instance;
} Secrets;

static void secrets_done(Secrets *s) {
    free(s->token);
    free(s->claimed);
    free(s->vm_instance);
}

static int read_secrets(Ledger *s, const char *id, bool is_waiting, Secrets *ret) {
    _cleanup_(statement_resetp) sqlite3_stmt *q = NULL;
    int r;

    r = ledger_query(s, is_waiting ? STATEMENT_WAITING_SECRETS : STATEMENT_AGENT_SECRETS, &q, "t",
                     id);
    if (r >= 0)
        r = ledger_step(q);
    if (r <= 0)
        return r < 0 ? r : -ENOENT;
    TRY(ledger_column_dup(q, 0, &ret->token));
    TRY(ledger_column_dup(q, 1, &ret->claimed));
    return ledger_column_dup(q, 2, &ret->vm_instance);
}

int ledger_replace_agent(Ledger *s, const char *id, const char *newer, bool is_waiting) {
    _cleanup_(secrets_done) Secrets new = {};
    int r;

    TRY(read_secrets(s, newer, is_waiting, &new));
    r = is_waiting ? ledger_execute(s, STATEMENT_WAITING_REMOVE, "t", new.token)
                   : ledger_remove_agent(s, newer);
    if (r >= 0)
        r = ledger_execute(s, STATEMENT_AGENT_REPLACE, "tttt", id, new.token, new.claimed,
                           new.vm_instance);
    return MIN(r, 0);
}

int ledger_update_agent(Ledger *s, const char *id, const Offer *o) {
    return ledger_execute(s, STATEMENT_AGENT_UPDATE,
                          "tttttttt"
                          "ti",
                          id, o->vm_instance, o->injected_id, o->version, o->platform,
                          o->platform_version, ledger_json_text(o->ipv4), ledger_json_text(o->ipv6),
                          ledger_json_text(o->features), ledger_now());
}

int ledger_note_stale(Ledger *s, const char *id, int change) {
    return ledger_execute(s, STATEMENT_AGENT_STALE, "ti", id, (int64_t)change);
}

int64_t ledger_count_agents(const Ledger *s) {
    return s->n_agents;
}

int ledger_note_disconnected(Ledger *s, const char *id) {
    return ledger_execute(s, STATEMENT_AGENT_GONE, "ti", id, ledger_now());
}

int ledger_note_all_disconnected(Ledger *s) {
    return ledger_execute(s, STATEMENT_AGENT_ALL_DISCONNECTED, "i", ledger_now());
}

int ledger_name_agent(Ledger *s, const char *id, const char *name) {
    int n;

    if (!name)
        return MIN(ledger_execute(s, STATEMENT_AGENT_UNNAME, "t", id), 0);
    n = ledger_execute(s, STATEMENT_AGENT_NAME, "tt", id, name);

    return n == 0 ? -EEXIST : MIN(n, 0);
}

static int add_claims(sqlite3_stmt *q, struct json_object *o) {
    struct json_object *claims = json_object_new_object();
    int r;

    r = json_add(o, "claims", claims);
    return r < 0 ? r
                 : (ledger_add_text(claims, "agent_id", q, 10)
                        ?: ledger_add_text(claims, "vm_instance", q, 11)
                        ?: ledger_add_text(claims, "injected_id", q, 12));
}

static int agent_to_json(sqlite3_stmt *q, struct json_object *o) {
    return ledger_add_text(o, "id", q, 0)
               ?: ledger_add_text(o, "name", q, 1)
               ?: ledger_add_text(o, "version", q, 2)
               ?: ledger_add_text(o, "platform", q, 3)
               ?: ledger_add_text(o, "platform_version", q, 4)
               ?: ledger_add_parsed(o, "ipv4", q, 5)
               ?: ledger_add_parsed(o, "ipv6", q, 6)
               ?: ledger_add_int(o, "created", q, 7)
               ?: ledger_add_int(o, "last_connected", q, 8)
               ?: ledger_add_int(o, "last_disconnected", q, 9)
               ?: add_claims(q, o)
               ?: ledger_add_text(o, "group", q, 13)
               ?: ledger_add_text(o, "enrolled_by", q, 14)
               ?: ledger_add_int(o, "revoked", q, 15);
}

int ledger_list_agents(Ledger *s, struct json_object *after, unsigned n, struct json_object **ret,
                       struct json_object **ret_next) {
    return ledger_list_parts(s, STATEMENT_AGENT_LIST, "created", agent_to_json, after, n, ret,
                             ret_next);
}
