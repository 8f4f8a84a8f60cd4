/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-manager/cli-targets.h"

#include <stdio.h>

#include "basic/i18n.h"
#include "basic/terminal.h"
#include "basic/utf8.h"
#include "dcm-manager/client-list.h"

bool targets_are_several(const Options *o) {
    const char *text = o->operands[0];

    return o->output.all || o->dry_run || o->n_targets != 1 || *text == '@' ||
           strpbrk(text, "*?[=") || streq(text, "connected");
}

static int ask(Client *client, const char *key, const char *value, struct json_object **ret) {
    struct json_object *request = client_request("targets");
    int r;

    if (request && json_add_string(request, key, value) < 0) {
        (void)json_object_put(request);
        return EXIT_OTHER;
    }
    r = client_call(client, request, ret);
    return r == 0 ? client_call_rest(client, "targets", key, value, 0, *ret) : r;
}

static int add_rows(struct json_object *agents, struct json_object *rows) {
    for (size_t i = 0; i < json_object_array_length(rows); i++) {
        struct json_object *row = json_object_array_get_idx(rows, i);
        const char *id = json_get_string(row, "id");

        if (id && !json_object_object_get_ex(agents, id, NULL) &&
            json_add(agents, id, json_object_get(row)) < 0)
            return EXIT_OTHER;
    }
    return 0;
}

static int add_target(Client *client, const char *text, struct json_object *agents,
                      bool *ret_is_agent) {
    _cleanup_json_ struct json_object *answer = NULL;
    int r = ask(client, text ? "target" : "all", text ?: "all", &answer);

    if (r > 0)
        return r;
    if (json_object_array_length(json_get(answer, "targets")) == 0) {
        terminal_printf(
            stderr,
            text ? _("dcm-manager: the target '%s' means no agent; nothing was ordered\n")
                 : _("dcm-manager: there are no agents; nothing was ordered\n"),
            text);
        return EXIT_NOT_FOUND;
    }
    *ret_is_agent = json_object_get_boolean(json_get(answer, "is_agent"));
    return add_rows(agents, json_get(answer, "targets"));
}

int targets_resolve(const Options *o, Client *client, struct json_object **ret,
                    bool *ret_is_agent) {
    _cleanup_json_ struct json_object *agents = json_object_new_object();
    bool is_agent = false;
    int r = agents ? 0 : EXIT_OTHER;

    if (r == 0 && o->output.all)
        r = add_target(client, NULL, agents, &is_agent);
    for (size_t i = 0; i < o->n_targets && r == 0; i++)
        r = add_target(client, o->operands[i], agents, &is_agent);
    if (r > 0)
        return r;
    *ret_is_agent = is_agent && o->n_targets == 1;
    *ret = TAKE_PTR(agents);
    return 0;
}

static void format_connected(struct json_object *row, char buf[static LISTING_CELL_SIZE]) {
    (void)utf8_format(buf, LISTING_CELL_SIZE, "%s",
                      json_object_get_boolean(json_get(row, "connected")) ? _("yes") : _("no"));
}

static void format_platform(struct json_object *row, char buf[static LISTING_CELL_SIZE]) {
    (void)utf8_format(buf, LISTING_CELL_SIZE, "%s %s", strempty(json_get_string(row, "platform")),
                      strempty(json_get_string(row, "platform_version")));
}

static const ListingColumn columns[] = {
    {N_("ID"), "id", .flags = COLUMN_SHRINKS, .width_min = 9},
    {N_("NAME"), "name", .flags = COLUMN_SHRINKS, .width_min = 10},
    {N_("CONNECTED"), .format = format_connected},
    {N_("GROUP"), "group", .flags = COLUMN_SHRINKS | COLUMN_OPTIONAL},
    {N_("PLATFORM"), .format = format_platform, .flags = COLUMN_SHRINKS | COLUMN_OPTIONAL},
};

int targets_print(const Options *o, struct json_object *agents) {
    static const Listing l = {columns, ELEMENTSOF(columns), NULL, N_("There are no agents.")};
    _cleanup_json_ struct json_object *rows = json_object_new_array();

    json_object_object_foreach(agents, id, row) {
        (void)id;
        if (!rows || json_object_array_add(rows, json_object_get(row)) < 0)
            return EXIT_OTHER;
    }
    return listing_print(&l, rows, &o->output) < 0 ? EXIT_OTHER : 0;
}

static int set_group(const Options *o, int n_agents, const char *group) {
    _cleanup_(client_freep) Client *client = NULL;
    int r = client_new(o->control, o->timeout_sec, &client);

    for (int i = 0; i < n_agents && r == 0; i++) {
        _cleanup_json_ struct json_object *answer = NULL;
        struct json_object *request = client_request("group");

        if (request && (json_add_string(request, "agent", o->operands[i]) < 0 ||
                        (group && json_add_string(request, "group", group) < 0))) {
            (void)json_object_put(request);
            return EXIT_OTHER;
        }
        r = client_call(client, request, &answer);
    }
    return r;
}

int cli_group(const Options *o) {
    return set_group(o, o->n_operands - 1, o->operands[o->n_operands - 1]);
}

int cli_ungroup(const Options *o) {
    return set_group(o, o->n_operands, NULL);
}
