/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-agentctl commands. */
#include <stdio.h>

#include "basic/i18n.h"
#include "dcm-agentctl/bus-json.h"
#include "dcm-agentctl/verbs.h"

static struct json_object *named(struct json_object *tuple, const char *const keys[], size_t n) {
    struct json_object *o = json_object_new_object();

    for (size_t i = 0; i < n; i++)
        (void)json_object_object_add(o, keys[i],
                                     json_object_get(json_object_array_get_idx(tuple, i)));
    return o;
}

/* Converts tuples of the bus to objects with keys; only the entry `wanted`, if it is not NULL. */
static struct json_object *name_commands(struct json_object *tuples, const char *wanted) {
    static const char *const argument_keys[] = {"name", "type", "mandatory", "secret", "help"};
    static const char *const keys[] = {"name", "kind", "summary", "source"};
    struct json_object *array = json_object_new_array();

    for (size_t i = 0; i < json_object_array_length(tuples); i++) {
        struct json_object *tuple = json_object_array_get_idx(tuples, i);
        struct json_object *name = json_object_array_get_idx(tuple, 0);
        struct json_object *command, *in, *out;

        if (wanted && !streq(json_object_get_string(name), wanted))
            continue;
        command = named(tuple, keys, ELEMENTSOF(keys));
        in = json_object_array_get_idx(tuple, 4);
        out = json_object_new_array();

        for (size_t j = 0; j < json_object_array_length(in); j++)
            (void)json_object_array_add(out, named(json_object_array_get_idx(in, j), argument_keys,
                                                   ELEMENTSOF(argument_keys)));
        (void)json_object_object_add(command, "arguments", out);
        (void)json_object_array_add(array, command);
    }
    return array;
}

static const char *text(struct json_object *o, const char *key) {
    return strempty(json_object_get_string(json_object_object_get(o, key)));
}

static void print_argument(struct json_object *a) {
    bool mandatory = json_object_get_boolean(json_object_object_get(a, "mandatory"));
    bool secret = json_object_get_boolean(json_object_object_get(a, "secret"));

    (void)fputs("    ", stdout);
    terminal_put_padded(stdout, text(a, "name"), 16);
    (void)putchar(' ');
    terminal_put_padded(stdout, text(a, "type"), 8);
    (void)putchar(' ');
    terminal_put_padded(stdout, mandatory ? _("mandatory") : _("optional"), 10);
    terminal_printf(stdout, " %s%s%s\n", text(a, "help"), secret ? "; " : "",
                    secret ? _("secret") : "");
}

static void print_commands(struct json_object *commands) {
    for (size_t i = 0; i < json_object_array_length(commands); i++) {
        struct json_object *command = json_object_array_get_idx(commands, i);
        struct json_object *arguments = json_object_object_get(command, "arguments");
        bool is_long = streq(text(command, "kind"), "long");

        terminal_printf(stdout, "%s  %s%s\n", text(command, "name"), text(command, "summary"),
                        is_long ? _(" (long runner)") : "");
        if (*text(command, "source"))
            terminal_printf(stdout, "    %s: %s\n", _("runs"), text(command, "source"));
        for (size_t j = 0; j < json_object_array_length(arguments); j++)
            print_argument(json_object_array_get_idx(arguments, j));
    }
}

static void warn_of_broken(struct json_object *broken) {
    for (size_t i = 0; i < json_object_array_length(broken); i++) {
        struct json_object *b = json_object_array_get_idx(broken, i);

        terminal_printf(stderr, _("%s defines no command: %s\n"),
                        json_object_get_string(json_object_array_get_idx(b, 0)),
                        json_object_get_string(json_object_array_get_idx(b, 1)));
    }
}

int verb_commands(const Context *c, int argc, char *argv[]) {
    _cleanup_json_ struct json_object *tuples = NULL, *commands = NULL, *broken = NULL;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

    TRY(ctl_call(c, "ListCommands", &m, NULL));
    TRY(ctl_json_from_bus(m, &tuples));
    TRY(ctl_json_from_bus(m, &broken));
    commands = name_commands(tuples, argc > 0 ? argv[0] : NULL);
    if (c->json)
        ctl_print_json(commands);
    else
        print_commands(commands);
    if (argc > 0 && json_object_array_length(commands) > 0)
        return EXIT_SUCCESS;
    warn_of_broken(broken);
    if (argc == 0)
        return EXIT_SUCCESS;
    terminal_printf(stderr, _("There is no command %s\n"), argv[0]);
    return EXIT_FAILURE;
}
