/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-agentctl users. */
#include <stdio.h>

#include "basic/i18n.h"
#include "dcm-agentctl/verbs.h"

typedef struct Row {
    const char *name, *agent_id;
    int is_administrator;
    uint64_t created_usec;
} Row;

static void add_row(struct json_object *array, const Row *row) {
    struct json_object *o = json_object_new_object();

    (void)json_object_object_add(o, "name", json_object_new_string(row->name));
    (void)json_object_object_add(o, "agent_id", json_object_new_string(row->agent_id));
    (void)json_object_object_add(o, "administrator",
                                 json_object_new_boolean(row->is_administrator));
    (void)json_object_object_add(o, "created_usec", json_object_new_uint64(row->created_usec));
    (void)json_object_array_add(array, o);
}

static const int widths[] = {32, 13, 24, 0};

static void print_row(const Row *row) {
    char time[64];

    terminal_put_row(stdout, ELEMENTSOF(widths), widths,
                     (const char *[]){row->name, row->is_administrator ? _("administrator") : "-",
                                      isempty(row->agent_id) ? "-" : row->agent_id,
                                      ctl_format_time(row->created_usec, time, sizeof(time))},
                     "\n");
}

int verb_users(const Context *c, int argc, char *argv[]) {
    _cleanup_json_ struct json_object *array = json_object_new_array();
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    Row row;

    TRY(ctl_call(c, "ListUsers", &m, NULL));
    TRY(sd_bus_message_enter_container(m, 'a', "(ssbt)"));
    if (!c->json)
        terminal_put_row(stdout, ELEMENTSOF(widths), widths,
                         (const char *[]){_("USER"), _("RIGHTS"), _("MADE FOR"), _("SINCE")}, "\n");
    while (sd_bus_message_read(m, "(ssbt)", &row.name, &row.agent_id, &row.is_administrator,
                               &row.created_usec) > 0)
        if (c->json)
            add_row(array, &row);
        else
            print_row(&row);
    if (c->json)
        ctl_print_json(array);
    return EXIT_SUCCESS;
}
