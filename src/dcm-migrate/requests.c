/* SPDX-License-Identifier: Apache-2.0 */
/* A row's GUID is what counts: it keeps a request from being executed twice. The result of a
 * request that was at work, or that the former agent has erased, is a reply that says so. */
#include "dcm-migrate/requests.h"

#include <pwd.h>
#include <stdio.h>
#include <time.h>

#include "basic/array.h"
#include "basic/guid.h"
#include "basic/terminal.h"
#include "basic/time-util.h"
#include "proto/message.h"
#include "store/request-row.h"
#include "store/user-row.h"

#define NAMES_MAX 100000u
#define LATEST "9999" /* it is so now */
#define ADMINISTRATOR ", an administrator"

/* A user or a statistic, as the newest request about it left it. */
typedef struct Thing {
    char *name, *created, *detail;
    bool is_there;
} Thing;

typedef struct Things {
    Thing *list;
    size_t n, allocated;
} Things;

typedef struct Taking {
    Store *store;
    char *agent_id, *agent_id_created; /* of the newest row */
    Things users;                      /* detail: NULL, or that he is an administrator */
    Things stats;                      /* detail: the type */
    unsigned n_new, n_known, n_waiting, n_lost, n_foreign, n_unusable;
} Taking;

static void things_done(Things *things) {
    for (size_t i = 0; i < things->n; i++) {
        free(things->list[i].name);
        free(things->list[i].created);
        free(things->list[i].detail);
    }
    free(things->list);
}

static void taking_done(Taking *t) {
    things_done(&t->users);
    things_done(&t->stats);
    free(t->agent_id);
    free(t->agent_id_created);
}

static int find_thing(Things *things, const char *name, Thing **ret) {
    for (size_t i = 0; i < things->n; i++)
        if (streq(things->list[i].name, name)) {
            *ret = &things->list[i];
            return 0;
        }
    TRY(array_reserve(&things->list, &things->allocated, things->n + 1, NAMES_MAX));
    things->list[things->n] = (Thing){.name = strdup(name)};
    if (!things->list[things->n].name)
        return -ENOMEM;
    *ret = &things->list[things->n++];
    return 0;
}

/* The rows of a damaged database have no order; times compare as texts. */
static int note_thing(Things *things, const char *name, const char *created, bool is_there,
                      const char *detail) {
    Thing *thing;

    TRY(find_thing(things, name, &thing));
    if (thing->created && strcmp(thing->created, strempty(created)) > 0)
        return 0;
    thing->is_there = is_there;
    TRY(free_and_strdup(&thing->detail, detail));
    return free_and_strdup(&thing->created, strempty(created));
}

static uint64_t parse_time(const char *text) {
    struct tm tm = {.tm_isdst = -1};
    time_t t = text && strptime(text, "%Y-%m-%d %H:%M:%S", &tm) ? mktime(&tm) : -1;

    return t > 0 ? (uint64_t)t * USEC_PER_SEC : 0;
}

static int find_agent_id(const FormerRequest *row, void *userdata) {
    Taking *t = userdata;

    if (isempty(row->agent_id) ||
        (t->agent_id && strcmp(t->agent_id_created, strempty(row->created)) > 0))
        return 0;
    TRY(free_and_strdup(&t->agent_id, row->agent_id));
    return free_and_strdup(&t->agent_id_created, strempty(row->created));
}

static bool is_true(const char *text) {
    return text &&
           (strcasecmp(text, "true") == 0 || streq(text, "1") || strcasecmp(text, "yes") == 0);
}

static int look_at_effect(Taking *t, const FormerRequest *row, struct json_object *payload) {
    const char *command = strempty(json_get_string(payload, "command"));
    struct json_object *arguments = json_get(payload, "arguments");
    const char *user = json_get_scalar(arguments, "userId");
    const char *stat = json_get_scalar(arguments, "statName");

    if (user && streq(command, "add_user"))
        return note_thing(&t->users, user, row->created, true,
                          is_true(json_get_scalar(arguments, "administrator")) ? ADMINISTRATOR
                                                                               : NULL);
    if (user && streq(command, "remove_user"))
        return note_thing(&t->users, user, row->created, false, NULL);
    if (stat && streq(command, "init_system_stat"))
        return note_thing(&t->stats, stat, row->created, true,
                          json_get_scalar(arguments, "statType"));
    if (stat && streq(command, "delete_system_stat"))
        return note_thing(&t->stats, stat, row->created, false, NULL);
    return 0;
}

static int insert(Taking *t, const FormerRequest *row, struct json_object *payload,
                  RequestState state) {
    _cleanup_free_ char *text = NULL;
    const char *command = json_get_string(payload, "command");
    StoredRequest q = {
        .guid = (char *)(uintptr_t)row->guid,
        .agent_id = (char *)(uintptr_t)row->agent_id,
        .command = (char *)(uintptr_t)(isempty(command) ? "?" : command),
        .state = state,
        .accepted_usec = parse_time(row->created),
    };
    size_t size = 0;

    TRY(json_encode(payload, &text, &size));
    sha256_hex(text, size, q.payload_sha256);
    return store_insert_request(t->store, &q);
}

static int reply_with(Taking *t, const char *guid, struct json_object *reply) {
    int64_t return_code = 1;
    size_t size;
    const char *text = json_to_text(reply, &size);

    if (!text)
        return -ENOMEM;
    (void)json_to_integer(json_get(reply, "return_code"), &return_code);
    return store_set_reply(t->store, guid, text, (int)return_code);
}

/* As the agent would have done it: accepted, then answered, then acknowledged. */
static int take_answered(Taking *t, const FormerRequest *row, struct json_object *payload,
                         RequestState state) {
    _cleanup_json_ struct json_object *reply = NULL;
    bool is_waiting = state == REQUEST_STATE_REPLY || state == REQUEST_STATE_ACKED;

    if (row->reply && json_parse_small(row->reply, strlen(row->reply), &reply) < 0)
        reply = NULL;
    if (!json_object_is_type(reply, json_type_object)) {
        (void)json_object_put(TAKE_PTR(reply));
        TRY(reply_new_error(is_waiting
                                ? "The agent was replaced while this was at work: its result "
                                  "is not known"
                                : "This was executed before the agent was replaced; its "
                                  "result was not kept",
                            &reply));
        t->n_lost += is_waiting;
        if (is_waiting)
            terminal_printf(stdout, "without a result: %s, %s\n", row->guid,
                            strempty(json_get_string(payload, "command")));
    }
    TRY(insert(t, row, payload, REQUEST_STATE_ACKED));
    TRY(reply_with(t, row->guid, reply));
    t->n_waiting += is_waiting;
    return is_waiting ? 0 : store_set_state(t->store, row->guid, REQUEST_STATE_REPLY, state);
}

static int take_known(Taking *t, const FormerRequest *row, struct json_object *payload,
                      RequestState state) {
    bool is_foreign = !isempty(row->agent_id) && !streq_ptr(row->agent_id, t->agent_id);
    bool is_open = state == REQUEST_STATE_REPLY || state == REQUEST_STATE_ACKED;

    if (is_foreign && is_open) {
        t->n_foreign++;
        return insert(t, row, payload, REQUEST_STATE_REPLY_NACKED);
    }
    return is_open || state == REQUEST_STATE_REPLY_ACKED ? take_answered(t, row, payload, state)
                                                         : insert(t, row, payload, state);
}

static int on_request(const FormerRequest *row, void *userdata) {
    _cleanup_json_ struct json_object *document = NULL;
    RequestState state = request_state_from_string(row->state);
    struct json_object *payload;
    StoredRequest known = {};
    Taking *t = userdata;
    int r;

    if (!guid_is_valid(row->guid) || state < 0 || state == REQUEST_STATE_REQUESTING) {
        t->n_unusable++;
        return 0;
    }
    if (row->request && json_parse_small(row->request, strlen(row->request), &document) < 0)
        document = NULL;
    payload = json_get(document, "payload");
    r = store_load_request(t->store, row->guid, false, &known);
    stored_request_done(&known);
    if (r != -ENOENT) {
        t->n_known++;
        return MIN(r, 0);
    }
    TRY(take_known(t, row, payload, state));
    t->n_new++;
    if (state == REQUEST_STATE_NACKED)
        return 0;
    return look_at_effect(t, row, payload);
}

static void report(const Taking *t, bool is_damaged) {
    (void)printf("requests: %u taken over, so that none is executed again; %u known already\n",
                 t->n_new, t->n_known);
    if (t->n_waiting > 0)
        (void)printf("replies: %u wait for the manager, %u of them without a result\n",
                     t->n_waiting, t->n_lost);
    if (t->n_foreign > 0)
        (void)printf("not carried over: replies to %u requests of another agent id\n",
                     t->n_foreign);
    if (t->n_unusable > 0)
        (void)printf("not carried over: %u rows that are no requests\n", t->n_unusable);
    if (is_damaged)
        (void)printf("the former database is damaged: requests that cannot be read may be executed "
                     "once more if the manager repeats them\n");
}

static int take_id(Taking *t) {
    _cleanup_free_ char *known = NULL;

    TRY(store_get_meta(t->store, STORE_META_AGENT_ID, &known));
    if (known || !t->agent_id)
        return 0;
    terminal_printf(stdout, "agent id: %s\n", t->agent_id);
    return store_set_meta(t->store, STORE_META_AGENT_ID, t->agent_id);
}

static int take_users(Taking *t) {
    for (size_t i = 0; i < t->users.n; i++) {
        const Thing *user = &t->users.list[i];

        if (!user->is_there || !getpwnam(user->name))
            continue;
        TRY(store_add_user(t->store, &(StoredUser){.name = user->name,
                                                   .agent_id = t->agent_id,
                                                   .is_administrator = user->detail != NULL}));
        terminal_printf(stdout, "user: %s%s\n", user->name, strempty(user->detail));
    }
    return 0;
}

static void report_stats(const Taking *t) {
    for (size_t i = 0; i < t->stats.n; i++)
        if (t->stats.list[i].is_there)
            terminal_printf(stdout, "not carried over: the statistic %s (%s); define it again\n",
                            t->stats.list[i].name, strempty(t->stats.list[i].detail));
}

int requests_take(Former *former, Store *store, char *const administrators[]) {
    _cleanup_(taking_done) Taking t = {.store = store};
    int r = 1;

    if (former) {
        TRY(former_visit_requests(former, find_agent_id, &t));
        r = former_visit_requests(former, on_request, &t);
    }
    if (r < 0)
        return r;
    TRY(take_id(&t));
    for (char *const *name = administrators; *name; name++)
        TRY(note_thing(&t.users, *name, LATEST, true, ADMINISTRATOR));
    report(&t, r == 0);
    TRY(take_users(&t));
    report_stats(&t);
    return r;
}
