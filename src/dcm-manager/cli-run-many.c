/* SPDX-License-Identifier: Apache-2.0 */
/* `dcm-manager run` for several agents: each gets a request of its own, whose GUID is made here, so
 * that what is said again after a loss of the manager is not ordered twice. */
#include "dcm-manager/cli-run-many.h"

#include <systemd/sd-id128.h>

#include "basic/i18n.h"
#include "basic/terminal.h"
#include "dcm-manager/cli-run-end.h"
#include "dcm-manager/limits.h"

#define LOOK_SEC 10.0 /* after a time-out, for a look at all whose answer may have come */

typedef enum Outcome {
    OUTCOME_UNANSWERED,
    OUTCOME_SUCCEEDED,
    OUTCOME_FAILED,
    OUTCOME_NOT_ORDERED,
    _OUTCOME_MAX,
} Outcome;

typedef struct Order {
    const char *id, *name; /* of the rows */
    char guid[SD_ID128_UUID_STRING_MAX];
    char *result; /* GUID of the request with the result; NULL: none */
    Outcome outcome;
} Order;

typedef struct Orders {
    Order *list;
    size_t n;
    size_t n_answered; /* by the manager */
} Orders;

static void orders_done(Orders *s) {
    for (size_t i = 0; i < s->n; i++)
        free(s->list[i].result);
    free(s->list);
}

static int orders_init(Orders *s, struct json_object *agents) {
    s->list = calloc((size_t)json_object_object_length(agents), sizeof(*s->list));
    if (!s->list)
        return EXIT_OTHER;
    json_object_object_foreach(agents, id, row) {
        Order *order = &s->list[s->n++];
        sd_id128_t guid = SD_ID128_NULL;

        order->id = id;
        order->name = json_get_string(row, "name") ?: id;
        if (sd_id128_randomize(&guid) < 0)
            return EXIT_OTHER;
        (void)sd_id128_to_uuid_string(guid, order->guid);
    }
    return 0;
}

static void print_json_line(struct json_object *o) {
    terminal_put_json(stdout, json_object_to_json_string_ext(
                                  o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    (void)putchar('\n');
}

static struct json_object *order_to_json(const Order *order) {
    struct json_object *o = json_object_new_object();

    if (o && (json_add_string(o, "agent", order->id) < 0 ||
              json_add_string(o, "name", order->name) < 0 ||
              json_add_string(o, "guid", order->guid) < 0)) {
        (void)json_object_put(o);
        o = NULL;
    }
    return o;
}

/* --- ordering ----------------------------------------------------------------------------------
 */

static void tell_order(const Options *o, Order *order, struct json_object *answer) {
    const char *error = json_get_string(answer, "error");
    _cleanup_json_ struct json_object *line = o->output.json ? order_to_json(order) : NULL;

    if (error) {
        order->outcome = OUTCOME_NOT_ORDERED;
        terminal_printf(stderr, "dcm-manager: %s: %s\n", order->name,
                        strempty(json_get_string(answer, "message")));
    }
    if (line && error) {
        json_object_object_del(line, "guid");
        (void)json_add_string(line, "error", error);
    }
    if (line)
        print_json_line(line);
    else if (!error)
        terminal_printf(stdout, "%s  %s\n", order->guid, order->name);
}

static struct json_object *make_request(struct json_object *payload, const Order *orders,
                                        size_t n) {
    struct json_object *request = client_request("order"), *list = json_object_new_array();
    int r = request && list ? 0 : -ENOMEM;

    for (size_t i = 0; i < n && r >= 0; i++) {
        struct json_object *o = order_to_json(&orders[i]);

        r = o ? json_object_array_add(list, o) : -ENOMEM;
        if (r < 0)
            (void)json_object_put(o);
    }
    if (r >= 0)
        r = json_add(request, "payload", json_object_get(payload));
    if (r < 0 || json_add(request, "orders", json_object_get(list)) < 0) {
        (void)json_object_put(request);
        request = NULL;
    }
    (void)json_object_put(list);
    return request;
}

/* A manager that was restarted is told the same again. */
static int call(const Options *o, Client **client, struct json_object *request,
                struct json_object **ret) {
    _cleanup_json_ struct json_object *owned = request;
    int r;

    client_expect_loss(*client);
    r = client_call(*client, json_object_get(owned), ret);
    if (r == 0 || !client_is_lost(*client))
        return r;
    *client = client_free(*client);
    r = client_new(o->control, o->timeout_sec, client);
    return r == 0 ? client_call(*client, json_object_get(owned), ret) : r;
}

/* The manager takes as many as it does in a turn, and has stored those that it answers. */
static int order_some(const Options *o, Client **client, struct json_object *payload, Orders *s) {
    _cleanup_json_ struct json_object *answer = NULL;
    Order *first = &s->list[s->n_answered];
    struct json_object *list;
    size_t n = MIN(s->n - s->n_answered, (size_t)CONTROL_ORDERS_AT_ONCE);
    int r = call(o, client, make_request(payload, first, n), &answer);

    if (r > 0)
        return r;
    list = json_get(answer, "orders");
    n = MIN(n, json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0);
    for (size_t i = 0; i < n; i++)
        tell_order(o, &first[i], json_object_array_get_idx(list, i));
    s->n_answered += n;
    return n > 0 && fflush(stdout) == 0 ? 0 : EXIT_OTHER;
}

static int order_all(const Options *o, Client **client, struct json_object *payload, Orders *s) {
    int r = 0;

    while (r == 0 && s->n_answered < s->n)
        r = order_some(o, client, payload, s);
    if (r > 0)
        terminal_printf(stderr,
                        _("dcm-manager: %zu of %zu agents were ordered for certain, perhaps up to "
                          "%u more; to see all: dcm-manager requests\n"),
                        s->n_answered, s->n, CONTROL_ORDERS_AT_ONCE);
    return r;
}

/* --- waiting -----------------------------------------------------------------------------------
 */

static void print_outcome(const Options *o, const Order *order, const RunEnd *end) {
    struct json_object *request = json_get(end->answer, "request"), *reply = run_end_reply(end);
    _cleanup_json_ struct json_object *line = NULL;

    if (o->output.json) {
        line = order_to_json(order);
        if (line && json_add_string(line, "state", json_get_string(request, "state")) >= 0 &&
            (reply ? json_add(line, "reply", json_object_get(reply))
                   : json_add_null(line, "reply")) >= 0)
            print_json_line(line);
    } else if (order->outcome == OUTCOME_SUCCEEDED)
        terminal_printf(stdout, _("%s: succeeded\n"), order->name);
    else if (run_end_is_refused(end))
        terminal_printf(stdout, _("%s: refused: %s\n"), order->name,
                        strempty(json_get_string(request, "error")));
    else
        terminal_printf(stdout, _("%s: failed with return code %d\n"), order->name,
                        run_return_code(reply));
    (void)fflush(stdout);
}

static int note_end(const Options *o, Order *order, const RunEnd *end) {
    const bool has_failed = run_end_is_refused(end) || run_return_code(run_end_reply(end)) != 0;

    order->outcome = has_failed ? OUTCOME_FAILED : OUTCOME_SUCCEEDED;
    if (has_failed && !run_end_is_refused(end) &&
        free_and_strdup(&order->result, json_get_string(json_get(end->answer, "request"), "guid")) <
            0)
        return EXIT_OTHER;
    print_outcome(o, order, end);
    return 0;
}

/* Those whose answer had come before the time was over count, wherever they are in the list. */
static int look_at_rest(const Options *o, Client **client, Orders *s, size_t i) {
    int r;

    *client = client_free(*client);
    r = client_new(o->control, LOOK_SEC, client);
    for (; i < s->n && r == 0; i++) {
        _cleanup_(run_end_done) RunEnd end = {};
        int found;

        if (s->list[i].outcome != OUTCOME_UNANSWERED)
            continue;
        found = run_look(o, client, s->list[i].id, s->list[i].guid, &end);
        if (found > 0)
            r = note_end(o, &s->list[i], &end);
        else if (found < 0)
            r = -found;
    }
    return r;
}

/* One after the other: all are at work meanwhile. */
static int wait_for_all(const Options *o, Client **client, Orders *s) {
    for (size_t i = 0; i < s->n; i++) {
        _cleanup_(run_end_done) RunEnd end = {};
        int r;

        if (s->list[i].outcome == OUTCOME_NOT_ORDERED)
            continue;
        r = run_follow(o, client, s->list[i].id, s->list[i].guid, &end);
        if (r == EXIT_TIMED_OUT)
            return look_at_rest(o, client, s, i);
        if (r == 0)
            r = note_end(o, &s->list[i], &end);
        if (r > 0)
            return r;
    }
    return 0;
}

/* Replies may be long, so they are asked for again instead of being kept. */
static void print_failed(Client *client, const Orders *s) {
    for (size_t i = 0; client && i < s->n; i++) {
        _cleanup_json_ struct json_object *answer = NULL;
        RunEnd end = {};
        struct json_object *request = s->list[i].result ? client_request("show") : NULL;

        if (!request)
            continue;
        if (json_add_string(request, "guid", s->list[i].result) < 0 ||
            client_call(client, request, &answer) > 0)
            return;
        end = (RunEnd){.answer = answer, .has_job = !streq(s->list[i].result, s->list[i].guid)};
        (void)putchar('\n');
        terminal_printf(stdout, "%s:\n", s->list[i].name);
        run_print_texts(run_end_reply(&end), stdout);
    }
}

static void print_recap(const Options *o, const size_t counts[static _OUTCOME_MAX]) {
    _cleanup_json_ struct json_object *line = NULL;
    const size_t n_failed = counts[OUTCOME_FAILED] + counts[OUTCOME_NOT_ORDERED];

    if (!o->output.json) {
        terminal_printf(stdout, _("%zu succeeded, %zu failed, %zu did not answer\n"),
                        counts[OUTCOME_SUCCEEDED], n_failed, counts[OUTCOME_UNANSWERED]);
        return;
    }
    line = json_object_new_object();
    if (line && json_add_int(line, "succeeded", (int64_t)counts[OUTCOME_SUCCEEDED]) >= 0 &&
        json_add_int(line, "failed", (int64_t)n_failed) >= 0 &&
        json_add_int(line, "unanswered", (int64_t)counts[OUTCOME_UNANSWERED]) >= 0)
        print_json_line(line);
}

static void tell_unanswered(const Orders *s) {
    for (size_t i = 0; i < s->n; i++)
        if (s->list[i].outcome == OUTCOME_UNANSWERED)
            terminal_printf(stderr,
                            _("%s has not answered; its request continues: dcm-manager show %s\n"),
                            s->list[i].name, s->list[i].guid);
}

static int finish(const Options *o, Client *client, const Orders *s) {
    size_t counts[_OUTCOME_MAX] = {};

    for (size_t i = 0; i < s->n; i++)
        counts[s->list[i].outcome]++;
    if (!o->wait)
        return counts[OUTCOME_NOT_ORDERED] > 0 ? EXIT_SOME_FAILED : 0;
    if (!o->output.json)
        print_failed(client, s);
    tell_unanswered(s);
    if (!o->output.json)
        (void)putchar('\n');
    print_recap(o, counts);
    return counts[OUTCOME_UNANSWERED] > 0                                  ? EXIT_SOME_SILENT
           : counts[OUTCOME_FAILED] > 0 || counts[OUTCOME_NOT_ORDERED] > 0 ? EXIT_SOME_FAILED
                                                                           : 0;
}

int cli_run_many(const Options *o, Client **client, struct json_object *payload,
                 struct json_object *agents) {
    _cleanup_(orders_done) Orders orders = {};
    int r = orders_init(&orders, agents), waited = 0;

    if (r == 0)
        r = order_all(o, client, payload, &orders);
    if (r > 0)
        return r;
    if (o->wait)
        waited = wait_for_all(o, client, &orders);
    r = finish(o, *client, &orders);
    return waited > 0 && waited != EXIT_TIMED_OUT ? waited : r;
}
