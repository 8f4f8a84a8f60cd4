/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-agentctl requests, show, cancel. */
#include <stdio.h>

#include "basic/i18n.h"
#include "dcm-agentctl/bus-json.h"
#include "dcm-agentctl/verbs.h"
#include "proto/text.h"

typedef struct Row {
    const char *guid, *command, *state;
    uint64_t accepted_usec, changed_usec;
} Row;

static int read_row(sd_bus_message *m, Row *ret) {
    return sd_bus_message_read(m, "(ssstt)", &ret->guid, &ret->command, &ret->state,
                               &ret->accepted_usec, &ret->changed_usec);
}

static void add_row(struct json_object *array, const Row *row) {
    struct json_object *o = json_object_new_object();

    (void)json_object_object_add(o, "guid", json_object_new_string(row->guid));
    (void)json_object_object_add(o, "command", json_object_new_string(row->command));
    (void)json_object_object_add(o, "state", json_object_new_string(row->state));
    (void)json_object_object_add(o, "accepted_usec", json_object_new_uint64(row->accepted_usec));
    (void)json_object_object_add(o, "changed_usec", json_object_new_uint64(row->changed_usec));
    (void)json_object_array_add(array, o);
}

static const int widths[] = {36, 18, 12, 0};

static void print_row(const Row *row) {
    char time[64];

    terminal_put_row(stdout, ELEMENTSOF(widths), widths,
                     (const char *[]){row->guid, row->command, row->state,
                                      ctl_format_time(row->changed_usec, time, sizeof(time))},
                     "\n");
}

int verb_requests(const Context *c, int argc, char *argv[]) {
    _cleanup_json_ struct json_object *array = json_object_new_array();
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    unsigned n = 0;
    Row row;
    int r;

    r = ctl_call(c, "ListRequests", &m, "u", c->limit);
    if (r < 0)
        return r;
    r = sd_bus_message_enter_container(m, 'a', "(ssstt)");
    if (r >= 0 && !c->json)
        terminal_put_row(stdout, ELEMENTSOF(widths), widths,
                         (const char *[]){_("GUID"), _("COMMAND"), _("STATE"), _("CHANGED")}, "\n");
    while (r >= 0 && (r = read_row(m, &row)) > 0) {
        if (c->json)
            add_row(array, &row);
        else
            print_row(&row);
        n++;
    }
    if (r >= 0 && c->json)
        ctl_print_json(array);
    else if (r >= 0 && n == 0)
        (void)printf(_("There are no requests.\n"));
    return r;
}

/* Replaces the JSON text of the reply by an object. */
static void unfold_reply(struct json_object *o) {
    struct json_object *reply = json_object_object_get(o, "reply");
    const char *text = reply ? json_object_get_string(reply) : NULL;
    struct json_object *parsed = NULL;

    if (text && json_parse_stored(text, strlen(text), &parsed) >= 0 && parsed)
        (void)json_object_object_add(o, "reply", parsed);
}

static void print_block(const char *title, const char *text) {
    if (isempty(text))
        return;
    (void)printf("\n%s:\n", title);
    terminal_put_block(stdout, text);
}

static void print_reply(struct json_object *reply) {
    struct json_object *object = json_object_object_get(reply, "reply_object");
    _cleanup_free_ char *error = NULL;

    ctl_print_field(_("Return code"), 14,
                    json_object_get_string(json_object_object_get(reply, "return_code")));
    if (object)
        ctl_print_field(_("Reply object"), 14, json_object_to_json_string(object));
    print_block(_("Output"), json_object_get_string(json_object_object_get(reply, "message")));
    (void)error_text_for_people(
        strempty(json_object_get_string(json_object_object_get(reply, "error_message"))), &error);
    print_block(_("Errors"), error);
}

static void print_progress(struct json_object *o) {
    const char *text = json_object_get_string(json_object_object_get(o, "progress_text"));
    struct json_object *percent;
    char line[512];

    if (!json_object_object_get_ex(o, "progress_percent", &percent))
        return;
    (void)snprintf(line, sizeof(line), "%d %%%s%s", json_object_get_int(percent),
                   isempty(text) ? "" : ": ", strempty(text));
    ctl_print_field(_("Progress"), 14, line);
}

static void print_request(struct json_object *o) {
    static const struct {
        const char *key, *title;
    } texts[] = {
        {"guid", N_("Request")},      {"command", N_("Command")},       {"state", N_("State")},
        {"agent_id", N_("Agent id")}, {"error_message", N_("Refused")},
    };
    struct json_object *value;
    char buf[64];

    for (size_t i = 0; i < ELEMENTSOF(texts); i++)
        if (json_object_object_get_ex(o, texts[i].key, &value))
            ctl_print_field(_(texts[i].title), 14, json_object_get_string(value));
    ctl_print_field(
        _("Accepted"), 14,
        ctl_format_time(json_object_get_uint64(json_object_object_get(o, "accepted_usec")), buf,
                        sizeof(buf)));
    ctl_print_field(
        _("Changed"), 14,
        ctl_format_time(json_object_get_uint64(json_object_object_get(o, "changed_usec")), buf,
                        sizeof(buf)));
    print_progress(o);
    if (json_object_object_get_ex(o, "reply", &value))
        print_reply(value);
}

int verb_show(const Context *c, int argc, char *argv[]) {
    _cleanup_json_ struct json_object *o = NULL;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

    TRY(ctl_call(c, "GetRequest", &m, "s", argv[0]));
    TRY(ctl_json_from_bus(m, &o));
    unfold_reply(o);
    if (c->json)
        ctl_print_json(o);
    else
        print_request(o);
    return EXIT_SUCCESS;
}

int verb_cancel(const Context *c, int argc, char *argv[]) {
    return ctl_call(c, "Cancel", NULL, "s", argv[0]);
}
