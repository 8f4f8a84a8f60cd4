/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs with one query and one answer. */
#include <stdio.h>
#include <unistd.h>

#include "basic/i18n.h"
#include "basic/terminal.h"
#include "basic/time-util.h"
#include "basic/utf8.h"
#include "dcm-manager/cli.h"
#include "dcm-manager/client-list.h"
#include "dcm-manager/client.h"
#include "dcm-manager/limits.h"
#include "proto/text.h"

/* Keys with a NULL value are left out. */
static int ask(const Options *o, const char *method, const char *key, const char *value,
               struct json_object **ret) {
    _cleanup_(client_freep) Client *client = NULL;
    struct json_object *request;
    int r;

    r = client_new(o->control, o->timeout_sec, &client);
    if (r > 0)
        return r;
    request = client_request(method);
    if (request &&
        ((value && json_add_string(request, key, value) < 0) ||
         (o->output.lines != LINES_PRESET && json_add_int(request, "n", o->output.lines) < 0) ||
         (o->verb == VERB_NAME && json_add_string(request, "name", o->operands[1]) < 0)))
        return EXIT_OTHER;
    r = client_call(client, request, ret);
    return r == 0 ? client_call_rest(client, method, key, value, o->output.lines, *ret) : r;
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

static void format_platform(struct json_object *row, char buf[static LISTING_CELL_SIZE]) {
    (void)utf8_format(buf, LISTING_CELL_SIZE, "%s %s", strempty(json_get_string(row, "platform")),
                      strempty(json_get_string(row, "platform_version")));
}

static void format_addresses(struct json_object *row, char buf[static LISTING_CELL_SIZE]) {
    *buf = 0;
    join(json_get(row, "ipv4"), buf, LISTING_CELL_SIZE);
    join(json_get(row, "ipv6"), buf, LISTING_CELL_SIZE);
}

static void format_claim(struct json_object *row, char buf[static LISTING_CELL_SIZE]) {
    (void)utf8_format(buf, LISTING_CELL_SIZE, "%s",
                      strempty(json_get_string(json_get(row, "claims"), "vm_instance")));
}

static void format_since(struct json_object *row, char buf[static LISTING_CELL_SIZE]) {
    if (json_get(row, "revoked"))
        (void)utf8_format(buf, LISTING_CELL_SIZE, "%s", _("revoked"));
    else
        (void)format_time_short(json_object_get_uint64(json_get(row, "since")), buf);
}

static const ListingColumn agent_columns[] = {
    {N_("ID"), "id", .flags = COLUMN_SHRINKS, .width_min = 9},
    {N_("NAME"), "name", .flags = COLUMN_SHRINKS, .width_min = 10},
    {N_("CONNECTED SINCE"), .format = format_since},
    {N_("GROUP"), "group", .flags = COLUMN_SHRINKS | COLUMN_OPTIONAL},
    {N_("VERSION"), "version", .flags = COLUMN_OPTIONAL},
    {N_("PLATFORM"), .format = format_platform, .flags = COLUMN_SHRINKS | COLUMN_OPTIONAL},
    {N_("ADDRESSES"), .format = format_addresses, .flags = COLUMN_SHRINKS | COLUMN_OPTIONAL,
     .width_min = 15},
    {N_("CLAIMED INSTANCE"), .format = format_claim, .flags = COLUMN_SHRINKS | COLUMN_OPTIONAL},
};

static Colour colour_of_state(struct json_object *row) {
    struct json_object *code = json_get(row, "return_code");

    return streq(strempty(json_get_string(row, "state")), "NACKED") ||
                   (code && json_object_get_int(code) != 0)
               ? COLOUR_RED
               : COLOUR_NONE;
}

static const ListingColumn request_columns[] = {
    {N_("GUID"), "guid", .flags = COLUMN_SHRINKS, .width_min = 9},
    {N_("AGENT"), "agent", .flags = COLUMN_SHRINKS, .width_min = 9},
    {N_("COMMAND"), "command", .flags = COLUMN_SHRINKS, .width_min = 12},
    {N_("STATE"), "state", .get_colour = colour_of_state},
    {N_("CODE"), "return_code", .flags = COLUMN_RIGHT, .get_colour = colour_of_state},
    {N_("CREATED"), "created", .type = LISTING_TIME, .flags = COLUMN_OPTIONAL},
};

/* As the agent says it. */
static void format_alert_time(struct json_object *row, char buf[static LISTING_CELL_SIZE]) {
    int64_t ms = json_object_get_int64(json_get(json_get(row, "alert"), "alert_timestamp"));

    (void)format_time_short(ms > 0 && ms <= INT64_MAX / 1000 ? (uint64_t)ms * 1000 : 0, buf);
}

static void put_of_alert(struct json_object *row, const char *key,
                         char buf[static LISTING_CELL_SIZE]) {
    (void)utf8_format(buf, LISTING_CELL_SIZE, "%s",
                      strempty(json_get_scalar(json_get(row, "alert"), key)));
}

static void format_level(struct json_object *row, char buf[static LISTING_CELL_SIZE]) {
    put_of_alert(row, "level", buf);
}

static void format_rule(struct json_object *row, char buf[static LISTING_CELL_SIZE]) {
    put_of_alert(row, "rule", buf);
}

static void format_subject(struct json_object *row, char buf[static LISTING_CELL_SIZE]) {
    put_of_alert(row, "subject", buf);
}

static const ListingColumn alert_columns[] = {
    {N_("AGENT"), "agent", .flags = COLUMN_SHRINKS, .width_min = 9},
    {N_("TIME"), .format = format_alert_time},
    {N_("LEVEL"), .format = format_level, .flags = COLUMN_RIGHT},
    {N_("RULE"), .format = format_rule, .flags = COLUMN_RIGHT | COLUMN_OPTIONAL},
    {N_("SUBJECT"), .format = format_subject, .flags = COLUMN_SHRINKS},
};

/* The method and the key of its answer have one name. */
static int list(const Options *o, const char *method, const Listing *l) {
    _cleanup_json_ struct json_object *answer = NULL;
    int r;

    r = ask(o, method, "agent", o->operands[0], &answer);
    if (r > 0)
        return r;
    return listing_print(l, json_get(answer, method), &o->output) < 0 ? EXIT_OTHER : 0;
}

static void warn_of_certificate(struct json_object *certificate) {
    const uint64_t expires = json_object_get_uint64(json_get(certificate, "expires"));
    char time[FORMAT_SIZE];

    if (!json_object_get_boolean(json_get(certificate, "expiring")))
        return;
    terminal_printf(stderr,
                    expires < now_usec(CLOCK_REALTIME)
                        ? _("dcm-manager: the certificate expired on %s; renew it: %s\n")
                        : _("dcm-manager: the certificate expires on %s; renew it: %s\n"),
                    format_time(expires, time), "dcm-manager renew");
}

static void format_waiting_claim(struct json_object *row, char buf[static LISTING_CELL_SIZE]) {
    const char *text = json_get_string(row, "agent_id") ?: json_get_string(row, "injected_id");

    (void)utf8_format(buf, LISTING_CELL_SIZE, "%s",
                      strempty(text ?: json_get_string(row, "vm_instance")));
}

static void format_fingerprint(struct json_object *row, char buf[static LISTING_CELL_SIZE]) {
    (void)utf8_format(buf, LISTING_CELL_SIZE, "%.*s%s", FINGERPRINT_MIN,
                      strempty(json_get_string(row, "fingerprint")),
                      json_get(row, "rejected") ? _(" (rejected)") : "");
}

static const ListingColumn waiting_columns[] = {
    {N_("ID"), "id", .flags = COLUMN_SHRINKS, .width_min = 13},
    {N_("CLAIMED NAME"), "host_name", .flags = COLUMN_SHRINKS, .width_min = 10},
    {N_("CLAIMED ID"), .format = format_waiting_claim, .flags = COLUMN_SHRINKS | COLUMN_OPTIONAL},
    {N_("FINGERPRINT"), .format = format_fingerprint, .flags = COLUMN_SHRINKS, .width_min = 16},
    {N_("FROM"), "peer", .flags = COLUMN_SHRINKS, .width_min = 9},
    {N_("FIRST SEEN"), "first_seen", .type = LISTING_TIME, .flags = COLUMN_OPTIONAL},
    {N_("LAST SEEN"), "last_seen", .type = LISTING_TIME, .flags = COLUMN_OPTIONAL},
    {N_("ADDRESSES"), .format = format_addresses, .flags = COLUMN_SHRINKS | COLUMN_OPTIONAL,
     .width_min = 15},
};

static int list_waiting(const Options *o) {
    static const Listing l = {waiting_columns, ELEMENTSOF(waiting_columns), NULL,
                              N_("No agent waits.")};

    return list(o, "waiting", &l);
}

int cli_agents(const Options *o) {
    static const Listing l = {agent_columns, ELEMENTSOF(agent_columns), NULL,
                              N_("No agent has connected yet.")};
    _cleanup_json_ struct json_object *answer = NULL;
    int r;

    if (o->waiting)
        return list_waiting(o);
    r = ask(o, "agents", NULL, NULL, &answer);
    if (r > 0)
        return r;
    r = listing_print(&l, json_get(answer, "agents"), &o->output);
    warn_of_certificate(json_get(answer, "certificate"));
    return r < 0 ? EXIT_OTHER : 0;
}

int cli_requests(const Options *o) {
    static const Listing l = {request_columns, ELEMENTSOF(request_columns), "created",
                              N_("There are no requests.")};

    return list(o, "requests", &l);
}

int cli_alerts(const Options *o) {
    static const Listing l = {alert_columns, ELEMENTSOF(alert_columns), "received",
                              N_("There are no alerts.")};

    return list(o, "alerts", &l);
}

static void print_field(const char *title, const char *value) {
    terminal_put_padded(stdout, title, -12);
    (void)putchar(' ');
    terminal_put_wrapped(stdout, isempty(value) ? "-" : value, screen_get_width(), 13);
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
    char time[FORMAT_SIZE];

    print_field(_("GUID:"), json_get_string(request, "guid"));
    print_field(_("Agent:"), json_get_string(request, "agent"));
    print_field(_("Command:"), json_get_string(json_get(request, "payload"), "command"));
    print_field(_("State:"), json_get_string(request, "state"));
    print_field(_("Created:"),
                format_time(json_object_get_uint64(json_get(request, "created")), time));
    print_field(_("Changed:"),
                format_time(json_object_get_uint64(json_get(request, "updated")), time));
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
    output_begin(&o->output);
    if (o->output.json)
        output_print_json(json_get(answer, "request"), &o->output);
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
    if (o->output.json)
        output_print_json(status, &o->output);
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
    if (o->output.json)
        output_print_json(answer, &o->output);
    else
        terminal_printf(stdout, "%s\n", strempty(json_get_string(answer, "agent")));
    return 0;
}

void cli_print_ids(const char *method, const char *key) {
    const Options o = {.control = CONTROL_DEFAULT, .output.lines = LINES_PRESET};
    _cleanup_json_ struct json_object *answer = NULL;
    struct json_object *rows;

    if (access(CONTROL_DEFAULT, W_OK) < 0 || ask(&o, method, NULL, NULL, &answer) > 0)
        return;
    rows = json_get(answer, method);
    for (size_t i = 0; i < json_object_array_length(rows); i++)
        terminal_printf(stdout, "%s\n",
                        strempty(json_get_string(json_object_array_get_idx(rows, i), key)));
}
