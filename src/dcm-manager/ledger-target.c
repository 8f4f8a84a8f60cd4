/* SPDX-License-Identifier: Apache-2.0 */
/* Each kind of target is one walk along an index, in parts: what was looked at counts, not what was
 * found, so that no pattern makes the manager look at all agents in one turn. */
#include "dcm-manager/ledger-target.h"

#include <stdio.h>

#include "dcm-manager/ledger-database.h"

#define BEHIND                                                                                     \
    "\x01" /* no name or id contains it: nothing is between a text and the text with it */

static const Statement statements[_TARGET_KIND_MAX] = {
    [TARGET_ALL] = STATEMENT_TARGET_ALL,
    [TARGET_PATTERN] = STATEMENT_TARGET_SHOWN,
    [TARGET_GROUP] = STATEMENT_TARGET_GROUP,
    [TARGET_PLATFORM] = STATEMENT_TARGET_PLATFORM,
    [TARGET_CONNECTED] = STATEMENT_TARGET_CONNECTED,
};

/* SQLite's patterns are those of the shell but for [!a], which is [^a] there. */
static char *to_glob(const char *pattern) {
    char *glob = strdup(pattern);
    bool in_class = false;

    for (char *p = glob; p && *p; p++) {
        if (in_class) {
            in_class = *p != ']';
            continue;
        }
        if (*p != '[')
            continue;
        in_class = true;
        if (p[1] == '!')
            *++p = '^';
        else if (p[1] == '^')
            p++;
        if (p[1] == ']') /* a member, not the end */
            p++;
    }
    return glob;
}

static int target_to_json(sqlite3_stmt *q, struct json_object *o) {
    return ledger_add_text(o, "id", q, 1)
               ?: ledger_add_text(o, "name", q, 2)
               ?: ledger_add_text(o, "group", q, 4)
               ?: ledger_add_text(o, "platform", q, 5)
               ?: ledger_add_text(o, "platform_version", q, 6);
}

static int append(struct json_object *list, sqlite3_stmt *q) {
    struct json_object *o = json_object_new_object();

    if (!o || json_object_array_add(list, o) < 0) {
        (void)json_object_put(o);
        return -ENOMEM;
    }
    return target_to_json(q, o);
}

static bool is_meant(sqlite3_stmt *q, const char *glob) {
    const char *shown = strempty((const char *)sqlite3_column_text(q, 2));

    return !sqlite3_column_int(q, 3) && (!glob || sqlite3_strglob(glob, shown) == 0);
}

/* The rows are as many as were looked at; *ret_last is the place of the last one. */
static int walk(sqlite3_stmt *q, const char *glob, struct json_object *list, unsigned *ret_n,
                char **ret_last) {
    int r;

    for (*ret_n = 0; (r = ledger_step(q)) > 0; (*ret_n)++) {
        TRY(ledger_column_dup(q, 0, ret_last));
        if (is_meant(q, glob))
            TRY(append(list, q));
    }
    return r;
}

int ledger_list_targets(Ledger *s, TargetKind kind, const char *value, const char *after,
                        unsigned n, struct json_object **ret, char **ret_next) {
    _cleanup_json_ struct json_object *list = json_object_new_array();
    _cleanup_free_ char *glob = NULL, *from = NULL, *to = NULL, *last = NULL;
    _cleanup_(statement_resetp) sqlite3_stmt *q = NULL;
    size_t prefix = kind == TARGET_PATTERN ? strcspn(value, "*?[") : 0;
    unsigned n_seen = 0;

    if (!list || (kind == TARGET_PATTERN && !(glob = to_glob(value))) ||
        asprintf(&from, "%.*s%s", after ? (int)strlen(after) : (int)prefix,
                 after ?: strempty(value), after ? BEHIND : "") < 0)
        return -ENOMEM;
    if (kind == TARGET_PATTERN && asprintf(&to, "%.*s\U0010ffff", (int)prefix, value) < 0)
        return -ENOMEM;
    TRY(ledger_query(s, statements[kind], &q, "tti", to ?: value, from, (int64_t)n));
    TRY(walk(q, glob, list, &n_seen, &last));
    *ret = TAKE_PTR(list);
    *ret_next = n_seen == n ? TAKE_PTR(last) : NULL;
    return 0;
}

int ledger_group_agent(Ledger *s, const char *id, const char *group) {
    return MIN(ledger_execute(s, STATEMENT_AGENT_GROUP, "tt", id, group), 0);
}
