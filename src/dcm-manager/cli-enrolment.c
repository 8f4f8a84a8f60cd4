/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs about who may be an agent. */
#include <stdio.h>

#include "basic/i18n.h"
#include "basic/terminal.h"
#include "basic/time-util.h"
#include "basic/utf8.h"
#include "dcm-manager/cli-enrolment.h"
#include "dcm-manager/client.h"

/* Two keys; one with a NULL value is left out. */
static int call(const Options *o, const char *method, const char *key, const char *value,
                const char *second_key, const char *second, struct json_object **ret) {
    _cleanup_(client_freep) Client *client = NULL;
    struct json_object *request;
    int r;

    r = client_new(o->control, o->timeout_sec, &client);
    if (r > 0)
        return r;
    request = client_request(method);
    if (request && ((value && json_add_string(request, key, value) < 0) ||
                    (second && json_add_string(request, second_key, second) < 0))) {
        (void)json_object_put(request);
        return EXIT_OTHER;
    }
    return client_call(client, request, ret);
}

/* Prints the agent's id. */
static int call_for_agent(const Options *o, const char *method, const char *second_key,
                          const char *second) {
    _cleanup_json_ struct json_object *answer = NULL;
    int r = call(o, method, "agent", o->operands[0], second_key, second, &answer);

    if (r == 0)
        terminal_printf(stdout, "%s\n", strempty(json_get_string(answer, "agent")));
    return r;
}

int cli_accept(const Options *o) {
    return call_for_agent(o, "accept", "name", o->n_names > 0 ? o->names[0] : NULL);
}

int cli_reject(const Options *o) {
    return call_for_agent(o, "reject", NULL, NULL);
}

int cli_revoke(const Options *o) {
    return call_for_agent(o, "revoke", NULL, NULL);
}

int cli_forget(const Options *o) {
    return call_for_agent(o, "forget", NULL, NULL);
}

int cli_replace(const Options *o) {
    return call_for_agent(o, "replace", "newer", o->operands[1]);
}

int cli_make_enrolment_token(const Options *o, const char *name, uint64_t uses,
                             struct json_object **ret) {
    _cleanup_(client_freep) Client *client = NULL;
    struct json_object *request;
    int r;

    r = client_new(o->control, o->timeout_sec, &client);
    if (r > 0)
        return r;
    request = client_request("enrol_token_new");
    if (request && (json_add_int(request, "expires_usec", (int64_t)o->expires_usec) < 0 ||
                    json_add_int(request, "uses", (int64_t)uses) < 0 ||
                    (o->group && json_add_string(request, "group", o->group) < 0) ||
                    (name && json_add_string(request, "name", name) < 0))) {
        (void)json_object_put(request);
        return EXIT_OTHER;
    }
    return client_call(client, request, ret);
}

static int make(const Options *o) {
    _cleanup_json_ struct json_object *answer = NULL;
    char time[FORMAT_SIZE];
    int r;

    r = cli_make_enrolment_token(o, NULL, o->uses, &answer);
    if (r > 0)
        return r;
    if (o->output.json) {
        json_object_object_del(answer, "ok");
        output_print_json(answer, &o->output);
        return 0;
    }
    terminal_printf(stdout, "%s\n", strempty(json_get_string(answer, "secret")));
    terminal_printf(stderr,
                    _("Enrolment token %s, valid until %s. It is shown only now; on a server it "
                      "goes into the file that enrolment_token_file in [connection] names.\n"),
                    strempty(json_get_string(answer, "id")),
                    format_time(json_object_get_uint64(json_get(answer, "expires")), time));
    return 0;
}

static const char *describe_state(struct json_object *row) {
    if (json_get(row, "revoked"))
        return _("revoked");
    if (json_object_get_int64(json_get(row, "used")) >=
        json_object_get_int64(json_get(row, "uses")))
        return _("used up");
    if (json_object_get_uint64(json_get(row, "expires")) <= now_usec(CLOCK_REALTIME))
        return _("expired");
    return _("valid");
}

static void format_state(struct json_object *row, char buf[static LISTING_CELL_SIZE]) {
    (void)utf8_format(buf, LISTING_CELL_SIZE, "%s", describe_state(row));
}

static const ListingColumn columns[] = {
    {N_("TOKEN"), "id"},
    {N_("STATE"), .format = format_state},
    {N_("USED"), "used", .flags = COLUMN_RIGHT},
    {N_("USES"), "uses", .flags = COLUMN_RIGHT},
    {N_("EXPIRES"), "expires", .type = LISTING_TIME},
    {N_("GROUP"), "group", .flags = COLUMN_SHRINKS | COLUMN_OPTIONAL},
    {N_("NAME"), "name", .flags = COLUMN_SHRINKS | COLUMN_OPTIONAL},
};

static int list(const Options *o) {
    static const Listing l = {columns, ELEMENTSOF(columns), NULL, N_("There are no tokens.")};
    _cleanup_json_ struct json_object *answer = NULL;
    int r = call(o, "enrol_tokens", NULL, NULL, NULL, NULL, &answer);

    if (r > 0)
        return r;
    return listing_print(&l, json_get(answer, "enrol_tokens"), &o->output) < 0 ? EXIT_OTHER : 0;
}

static int revoke(const Options *o) {
    _cleanup_json_ struct json_object *answer = NULL;

    return call(o, "enrol_token_revoke", "token", o->operands[1], NULL, NULL, &answer);
}

int cli_enrol_token(const Options *o) {
    static const struct {
        const char *name;
        int n_operands;
        int (*run)(const Options *o);
    } verbs[] = {{"new", 1, make}, {"list", 1, list}, {"revoke", 2, revoke}};

    for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
        if (streq(verbs[i].name, o->operands[0]) && verbs[i].n_operands == o->n_operands)
            return verbs[i].run(o);
    (void)fprintf(stderr, _("dcm-manager: it is enrol-token new, enrol-token list, or enrol-token "
                            "revoke TOKEN\n"));
    return EXIT_USAGE;
}
