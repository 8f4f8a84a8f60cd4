/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-agentctl commands. */
#include <stdio.h>

#include "basic/i18n.h"
#include "basic/utf8.h"
#include "dcm-agentctl/bus-json.h"
#include "dcm-agentctl/verbs.h"

/* Their arguments are tuples, as on the bus: they become objects. */
static void name_arguments(struct json_object *commands) {
    static const char *const keys[] = {"name", "type",    "mandatory", "secret",
                                       "help", "default", "values"};

    for (size_t i = 0; i < json_object_array_length(commands); i++) {
        struct json_object *command = json_object_array_get_idx(commands, i);
        struct json_object *tuples = json_get(command, "arguments");
        struct json_object *arguments = json_object_new_array();

        for (size_t k = 0; k < json_object_array_length(tuples); k++)
            (void)json_object_array_add(
                arguments,
                ctl_name_values(json_object_array_get_idx(tuples, k), keys, ELEMENTSOF(keys)));
        (void)json_object_object_add(command, "arguments", arguments);
    }
}

static void keep_only(struct json_object *commands, const char *name) {
    for (size_t i = json_object_array_length(commands); i > 0; i--)
        if (!streq(strempty(json_get_string(json_object_array_get_idx(commands, i - 1), "name")),
                   name))
            (void)json_object_array_del_idx(commands, i - 1, 1);
}

static const char *text(struct json_object *o, const char *key) {
    return strempty(json_object_get_string(json_object_object_get(o, key)));
}

static void print_wrapped(const char *line, int indent) {
    (void)printf("%*s", indent, "");
    terminal_put_wrapped(stdout, line, screen_get_width(), indent);
}

/* The name with what it must be; below it what it means. */
static void print_argument(struct json_object *a) {
    bool mandatory = json_object_get_boolean(json_object_object_get(a, "mandatory"));
    bool secret = json_object_get_boolean(json_object_object_get(a, "secret"));
    const char *fallback = text(a, "default"), *values = text(a, "values");
    char line[1024], shown[256] = "";

    if (*fallback)
        (void)utf8_format(shown, sizeof(shown), _("default: %s"), fallback);
    (void)utf8_format(line, sizeof(line), "%s: %s, %s%s%s%s%s%s%s", text(a, "name"),
                      text(a, "type"), mandatory ? _("mandatory") : _("optional"),
                      secret ? ", " : "", secret ? _("secret") : "", *values ? ", " : "", values,
                      *shown ? ", " : "", shown);
    print_wrapped(line, 2);
    if (*text(a, "help"))
        print_wrapped(text(a, "help"), 6);
}

static void print_command(struct json_object *command) {
    struct json_object *arguments = json_object_object_get(command, "arguments");

    ctl_print_field(_("Command"), 10, text(command, "name"));
    ctl_print_field(_("Summary"), 10, text(command, "summary"));
    ctl_print_field(_("Kind"), 10, text(command, "kind"));
    if (*text(command, "source"))
        ctl_print_field(_("Runs"), 10, text(command, "source"));
    if (json_object_array_length(arguments) > 0)
        (void)printf("\n%s\n", _("Arguments:"));
    for (size_t i = 0; i < json_object_array_length(arguments); i++)
        print_argument(json_object_array_get_idx(arguments, i));
}

static const ListingColumn columns[] = {
    {N_("COMMAND"), "name", .flags = COLUMN_SHRINKS, .width_min = 12},
    {N_("KIND"), "kind", .flags = COLUMN_OPTIONAL},
    {N_("SUMMARY"), "summary", .flags = COLUMN_SHRINKS},
};

static void warn_of_broken(struct json_object *broken) {
    for (size_t i = 0; i < json_object_array_length(broken); i++) {
        struct json_object *b = json_object_array_get_idx(broken, i);

        terminal_printf(stderr, _("%s defines no command: %s\n"),
                        json_object_get_string(json_object_array_get_idx(b, 0)),
                        json_object_get_string(json_object_array_get_idx(b, 1)));
    }
}

int verb_commands(const Context *c, int argc, char *argv[]) {
    static const char *const keys[] = {"name", "kind", "summary", "source", "arguments"};
    static const Listing listing = {columns, ELEMENTSOF(columns), NULL,
                                    N_("There are no commands.")};
    _cleanup_json_ struct json_object *commands = NULL, *broken = NULL;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

    TRY(ctl_call(c, "ListCommands", &m, NULL));
    TRY(ctl_read_rows(m, keys, ELEMENTSOF(keys), &commands));
    TRY(ctl_json_from_bus(m, &broken));
    name_arguments(commands);
    if (argc > 0)
        keep_only(commands, argv[0]);
    if (argc > 0 && !c->output.json && json_object_array_length(commands) > 0) {
        print_command(json_object_array_get_idx(commands, 0));
        return EXIT_SUCCESS;
    }
    if (argc == 0 || c->output.json)
        TRY(listing_print(&listing, commands, &c->output));
    if (argc > 0 && json_object_array_length(commands) > 0)
        return EXIT_SUCCESS;
    warn_of_broken(broken);
    if (argc == 0)
        return EXIT_SUCCESS;
    terminal_printf(stderr, _("There is no command %s\n"), argv[0]);
    return EXIT_FAILURE;
}
