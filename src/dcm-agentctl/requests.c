/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-agentctl requests, show, cancel. */
#include <limits.h>
#include <stdio.h>

#include "basic/i18n.h"
#include "basic/time-util.h"
#include "dcm-agentctl/bus-json.h"
#include "dcm-agentctl/requests.h"
#include "dcm-agentctl/verbs.h"
#include "proto/text.h"

static bool has_failed(struct json_object *row) {
    return json_object_get_uint64(json_get(row, "replied_usec")) > 0 &&
           json_object_get_int(json_get(row, "return_code")) != 0;
}

static void format_code(struct json_object *row, char buf[static LISTING_CELL_SIZE]) {
    *buf = 0;
    if (json_object_get_uint64(json_get(row, "replied_usec")) > 0)
        (void)snprintf(buf, LISTING_CELL_SIZE, "%d",
                       json_object_get_int(json_get(row, "return_code")));
}

/* How long it took, or has taken until now. */
static void format_duration(struct json_object *row, char buf[static LISTING_CELL_SIZE]) {
    uint64_t accepted = json_object_get_uint64(json_get(row, "accepted_usec")),
             end = json_object_get_uint64(json_get(row, "replied_usec"));

    *buf = 0;
    if (end == 0 && streq(strempty(json_get_string(row, "state")), "ACKED"))
        end = now_usec(CLOCK_REALTIME);
    if (end >= accepted)
        (void)format_span(end - accepted, buf);
}

static Colour colour_of(struct json_object *row) {
    return has_failed(row) || streq(strempty(json_get_string(row, "state")), "NACKED")
               ? COLOUR_RED
               : COLOUR_NONE;
}

static const ListingColumn columns[] = {
    {N_("GUID"), "guid", .flags = COLUMN_SHRINKS, .width_min = 9},
    {N_("COMMAND"), "command", .flags = COLUMN_SHRINKS, .width_min = 12},
    {N_("STATE"), "state", .get_colour = colour_of},
    {N_("CODE"), .format = format_code, .flags = COLUMN_RIGHT, .get_colour = colour_of},
    {N_("DURATION"), .format = format_duration, .flags = COLUMN_RIGHT | COLUMN_OPTIONAL},
    {N_("ACCEPTED"), "accepted_usec", .type = LISTING_TIME, .flags = COLUMN_OPTIONAL},
};

int verb_requests(const Context *c, int argc, char *argv[]) {
    static const char *const keys[] = {
        "guid", "command", "state", "accepted_usec", "changed_usec", "replied_usec", "return_code"};
    static const Listing listing = {columns, ELEMENTSOF(columns), "accepted_usec",
                                    N_("There are no requests.")};
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    _cleanup_json_ struct json_object *rows = NULL;

    TRY(ctl_call(c, "ListRequests", &m, "u", c->output.lines));
    TRY(ctl_read_rows(m, keys, ELEMENTSOF(keys), &rows));
    return listing_print(&listing, rows, &c->output);
}

/* Replaces the JSON text of the reply by an object. */
static void unfold_reply(struct json_object *o) {
    struct json_object *reply = json_object_object_get(o, "reply");
    const char *text = reply ? json_object_get_string(reply) : NULL;
    struct json_object *parsed = NULL;

    if (text && json_parse_stored(text, strlen(text), &parsed) >= 0 && parsed)
        (void)json_object_object_add(o, "reply", parsed);
}

static void put_field(FILE *f, const char *label, const char *value) {
    terminal_put_padded(f, label, -14);
    (void)fputs(": ", f);
    terminal_put_wrapped(f, value, f == stdout ? screen_get_width() : INT_MAX, 16);
}

static void print_block(FILE *f, const char *title, const char *text) {
    if (isempty(text))
        return;
    (void)fprintf(f, "\n%s:\n", title);
    terminal_put_block(f, text);
}

static void print_reply(FILE *f, struct json_object *reply) {
    struct json_object *object = json_object_object_get(reply, "reply_object");
    _cleanup_free_ char *error = NULL;

    put_field(f, _("Return code"),
              json_object_get_string(json_object_object_get(reply, "return_code")));
    if (object)
        put_field(f, _("Reply object"), json_object_to_json_string(object));
    print_block(f, _("Output"), json_object_get_string(json_object_object_get(reply, "message")));
    (void)error_text_for_people(
        strempty(json_object_get_string(json_object_object_get(reply, "error_message"))), &error);
    print_block(f, _("Errors"), error);
}

static void print_progress(FILE *f, struct json_object *o) {
    const char *text = json_object_get_string(json_object_object_get(o, "progress_text"));
    struct json_object *percent;
    char line[512];

    if (!json_object_object_get_ex(o, "progress_percent", &percent))
        return;
    (void)snprintf(line, sizeof(line), "%d %%%s%s", json_object_get_int(percent),
                   isempty(text) ? "" : ": ", strempty(text));
    put_field(f, _("Progress"), line);
}

void request_print(FILE *f, struct json_object *o) {
    static const struct {
        const char *key, *title;
    } texts[] = {
        {"guid", N_("Request")},      {"command", N_("Command")},       {"state", N_("State")},
        {"agent_id", N_("Agent id")}, {"error_message", N_("Refused")},
    };
    struct json_object *value;
    char buf[FORMAT_SIZE];

    for (size_t i = 0; i < ELEMENTSOF(texts); i++)
        if (json_object_object_get_ex(o, texts[i].key, &value))
            put_field(f, _(texts[i].title), json_object_get_string(value));
    put_field(f, _("Accepted"),
              format_time(json_object_get_uint64(json_object_object_get(o, "accepted_usec")), buf));
    put_field(f, _("Changed"),
              format_time(json_object_get_uint64(json_object_object_get(o, "changed_usec")), buf));
    print_progress(f, o);
    if (json_object_object_get_ex(o, "reply", &value))
        print_reply(f, value);
}

int request_load(const Context *c, const char *guid, sd_bus_error *error,
                 struct json_object **ret) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

    TRY(sd_bus_call_method(c->bus, AGENT_NAME, AGENT_PATH, AGENT_INTERFACE, "GetRequest", error, &m,
                           "s", guid));
    TRY(ctl_json_from_bus(m, ret));
    unfold_reply(*ret);
    return 0;
}

static int load(const Context *c, const char *guid, struct json_object **ret) {
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    int r = request_load(c, guid, &error, ret);

    return r < 0 ? ctl_report(c, &error, r) : 0;
}

static int on_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    *(bool *)userdata = true;
    return 0;
}

static int wait_change(const Context *c, bool *changed) {
    while (!*changed) {
        int r = sd_bus_process(c->bus, NULL);

        if (r == 0)
            r = sd_bus_wait(c->bus, UINT64_MAX);
        if (r < 0 && r != -EINTR)
            return ctl_report(c, &SD_BUS_ERROR_NULL, r);
    }
    *changed = false;
    return 0;
}

/* Until there is a reply, or never will be one. It subscribes before it looks: a change meanwhile
 * is seen afterwards. */
static int follow(const Context *c, const char *guid, struct json_object **o) {
    bool changed = false;

    TRY(sd_bus_match_signal(c->bus, NULL, AGENT_NAME, AGENT_PATH, AGENT_INTERFACE, NULL, on_changed,
                            &changed));
    for (;;) {
        TRY(load(c, guid, o));
        if (!streq(strempty(json_get_string(*o, "state")), "ACKED"))
            return 0;
        TRY(wait_change(c, &changed));
        (void)json_object_put(TAKE_PTR(*o));
    }
}

int verb_show(const Context *c, int argc, char *argv[]) {
    _cleanup_json_ struct json_object *o = NULL;
    _cleanup_free_ char *guid = NULL;

    TRY(ctl_find_guid(c, argv[0], &guid));
    TRY(c->follow ? follow(c, guid, &o) : load(c, guid, &o));
    if (c->output.json) {
        output_print_json(o, &c->output);
        return EXIT_SUCCESS;
    }
    output_begin(&c->output);
    request_print(stdout, o);
    return EXIT_SUCCESS;
}

int verb_cancel(const Context *c, int argc, char *argv[]) {
    _cleanup_free_ char *guid = NULL;

    TRY(ctl_find_guid(c, argv[0], &guid));
    return ctl_call(c, "Cancel", NULL, "s", guid);
}
