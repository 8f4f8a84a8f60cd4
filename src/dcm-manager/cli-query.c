/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs with one query and one answer. */
#include <stdio.h>

#include "basic/i18n.h"
#include "basic/terminal.h"
#include "basic/utf8.h"
#include "dcm-manager/cli.h"
#include "dcm-manager/client.h"
#include "dcm-manager/table.h"
#include "proto/text.h"

#define TIME_SIZE 32

/* Omits keys with a NULL value. */
static int ask(const Options *o, const char *method, const char *key, const char *value,
               struct json_object **ret) {
    _cleanup_(client_freep) Client *client = NULL;
    struct json_object *request;
    int r;

    r = client_new(o->control, o->timeout_sec, &client);
    if (r > 0)
        return r;
    request = client_request(method);
    if (request && ((value && json_add_string(request, key, value) < 0) ||
                    (o->lines >= 0 && json_add_int(request, "n", o->lines) < 0) ||
                    (o->verb == VERB_NAME && json_add_string(request, "name", o->operands[1]) < 0)))
        return EXIT_OTHER;
    return client_call(client, request, ret);
}

static void print_json(struct json_object *o) {
    terminal_put_json(stdout, json_object_to_json_string_ext(
                                  o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
    (void)putchar('\n');
}

static void time_of(struct json_object *o, const char *key, char *ret) {
    format_time(json_object_get_int64(json_get(o, key)), ret, TIME_SIZE);
}

/* The time in the agent's message. */
static void time_of_alert(struct json_object *alert, char *ret) {
    int64_t ms = json_object_get_int64(json_get(alert, "alert_timestamp"));

    format_time(ms > 0 && ms <= INT64_MAX / 1000 ? ms * 1000 : 0, ret, TIME_SIZE);
}

static void print_table(Table *t) {
    if (t)
        table_print(t, stdout);
}

/* "192.0.2.7 2001:db8::7" */
static void join(struct json_object *list, char *ret, size_t size) {
    size_t used = strlen(ret);

    for (size_t i = 0; json_object_is_type(list, json_type_array) &&
                       i < json_object_array_length(list) && used < size;
         i++)
        used += (size_t)utf8_format(ret + used, size - used, "%s%s", used > 0 ? " " : "",
                                    json_object_get_string(json_object_array_get_idx(list, i)));
}

static void add_agent(Table *t, struct json_object *agent) {
    char since[TIME_SIZE], platform[160], addresses[512] = "";

    time_of(agent, "since", since);
    (void)utf8_format(platform, sizeof(platform), "%s %s",
                      strempty(json_get_string(agent, "platform")),
                      strempty(json_get_string(agent, "platform_version")));
    join(json_get(agent, "ipv4"), addresses, sizeof(addresses));
    join(json_get(agent, "ipv6"), addresses, sizeof(addresses));
    (void)table_add(t,
                    (const char *[]){json_get_string(agent, "id"), json_get_string(agent, "name"),
                                     since, json_get_string(agent, "version"), platform, addresses,
                                     json_get_string(json_get(agent, "claims"), "vm_instance")});
}

int cli_agents(const Options *o) {
    _cleanup_json_ struct json_object *answer = NULL;
    _cleanup_(table_freep) Table *t = NULL;
    struct json_object *list;
    int r;

    r = ask(o, "agents", NULL, NULL, &answer);
    if (r > 0)
        return r;
    list = json_get(answer, "agents");
    if (o->json) {
        print_json(list);
        return 0;
    }
    t = table_new(7, (const char *[]){_("ID"), _("NAME"), _("CONNECTED SINCE"), _("VERSION"),
                                      _("PLATFORM"), _("ADDRESSES"), _("CLAIMED INSTANCE")});
    for (size_t i = 0; t && i < json_object_array_length(list); i++)
        add_agent(t, json_object_array_get_idx(list, i));
    print_table(t);
    return 0;
}

int cli_requests(const Options *o) {
    _cleanup_json_ struct json_object *answer = NULL;
    _cleanup_(table_freep) Table *t = NULL;
    struct json_object *list;
    int r;

    r = ask(o, "requests", "agent", o->operands[0], &answer);
    if (r > 0)
        return r;
    list = json_get(answer, "requests");
    if (o->json) {
        print_json(list);
        return 0;
    }
    t = table_new(5,
                  (const char *[]){_("GUID"), _("AGENT"), _("COMMAND"), _("STATE"), _("CREATED")});
    for (size_t i = 0; t && i < json_object_array_length(list); i++) {
        struct json_object *row = json_object_array_get_idx(list, i);
        char created[TIME_SIZE];

        time_of(row, "created", created);
        (void)table_add(t, (const char *[]){json_get_string(row, "guid"),
                                            json_get_string(row, "agent"),
                                            json_get_string(row, "command"),
                                            json_get_string(row, "state"), created});
    }
    print_table(t);
    return 0;
}

int cli_alerts(const Options *o) {
    _cleanup_json_ struct json_object *answer = NULL;
    _cleanup_(table_freep) Table *t = NULL;
    struct json_object *list;
    int r;

    r = ask(o, "alerts", "agent", o->operands[0], &answer);
    if (r > 0)
        return r;
    list = json_get(answer, "alerts");
    if (o->json) {
        print_json(list);
        return 0;
    }
    t = table_new(5, (const char *[]){_("AGENT"), _("TIME"), _("LEVEL"), _("RULE"), _("SUBJECT")});
    for (size_t i = 0; t && i < json_object_array_length(list); i++) {
        struct json_object *row = json_object_array_get_idx(list, i),
                           *alert = json_get(row, "alert");
        char time[TIME_SIZE];

        time_of_alert(alert, time);
        (void)table_add(t, (const char *[]){
                               json_get_string(row, "agent"), time, json_get_scalar(alert, "level"),
                               json_get_scalar(alert, "rule"), json_get_string(alert, "subject")});
    }
    print_table(t);
    return 0;
}

static void print_field(const char *title, const char *value) {
    terminal_put_padded(stdout, title, -12);
    terminal_printf(stdout, " %s\n", isempty(value) ? "-" : value);
}

static void print_block(const char *title, const char *text) {
    if (isempty(text))
        return;
    printf("\n%s\n", title);
    terminal_put_block(stdout, text);
}

static void print_no_reply(struct json_object *request, struct json_object *reply) {
    if (!streq(strempty(json_get_string(request, "state")), "REPLIED"))
        return;
    print_field(_("Reply:"), reply ? _("not a reply object:") : _("null: the agent has no result"));
    if (reply)
        print_block("", json_object_get_string(reply));
}

static void print_request(struct json_object *request) {
    struct json_object *reply = json_get(request, "reply");
    _cleanup_free_ char *error = NULL;
    char created[TIME_SIZE], updated[TIME_SIZE];

    time_of(request, "created", created);
    time_of(request, "updated", updated);
    print_field(_("GUID:"), json_get_string(request, "guid"));
    print_field(_("Agent:"), json_get_string(request, "agent"));
    print_field(_("Command:"), json_get_string(json_get(request, "payload"), "command"));
    print_field(_("State:"), json_get_string(request, "state"));
    print_field(_("Created:"), created);
    print_field(_("Changed:"), updated);
    if (json_get_string(request, "error"))
        print_field(_("Refused:"), json_get_string(request, "error"));
    if (!json_object_is_type(reply, json_type_object)) {
        print_no_reply(request, reply);
        return;
    }
    print_field(_("Return code:"), json_get_scalar(reply, "return_code"));
    print_field(_("Reply type:"), json_get_string(reply, "reply_type"));
    if (json_get(reply, "reply_object"))
        print_field(_("Object:"), json_object_to_json_string_ext(json_get(reply, "reply_object"),
                                                                 JSON_C_TO_STRING_PLAIN));
    print_block(_("Message:"), json_get_string(reply, "message"));
    (void)error_text_for_people(strempty(json_get_string(reply, "error_message")), &error);
    print_block(_("Error message:"), error);
}

int cli_show(const Options *o) {
    _cleanup_json_ struct json_object *answer = NULL;
    int r;

    r = ask(o, "show", "guid", o->operands[0], &answer);
    if (r > 0)
        return r;
    if (o->json)
        print_json(json_get(answer, "request"));
    else
        print_request(json_get(answer, "request"));
    return 0;
}

int cli_status(const Options *o) {
    _cleanup_json_ struct json_object *answer = NULL;
    struct json_object *status;
    const char *state;
    int r;

    r = ask(o, "status", "guid", o->operands[0], &answer);
    if (r > 0)
        return r;
    status = json_get(answer, "status");
    state = json_get_string(status, "state");
    if (o->json)
        print_json(status);
    else if (state)
        terminal_printf(stdout, "%s\n", state);
    else
        terminal_printf(stderr, _("dcm-manager: the agent does not know: %s\n"),
                        strempty(json_get_string(status, "error_message")));
    return state ? 0 : EXIT_REFUSED;
}

static int command(const Options *o, const char *method, const char *key) {
    _cleanup_json_ struct json_object *answer = NULL;

    return ask(o, method, key, o->operands[0], &answer);
}

int cli_cancel(const Options *o) {
    return command(o, "cancel", "guid");
}

int cli_name(const Options *o) {
    return command(o, "name", "agent");
}

int cli_unname(const Options *o) {
    return command(o, "unname", "agent");
}

int cli_wait_agent(const Options *o) {
    _cleanup_json_ struct json_object *answer = NULL;
    int r;

    r = ask(o, "wait_agent", "agent", o->operands[0], &answer);
    if (r > 0)
        return r;
    if (o->json)
        print_json(answer);
    else
        terminal_printf(stdout, "%s\n", strempty(json_get_string(answer, "agent")));
    return 0;
}
