/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-agentctl alerts. */
#include <stdio.h>

#include "basic/i18n.h"
#include "dcm-agentctl/verbs.h"

typedef struct Row {
    const char *request_id, *state, *user, *source_ip, *subject, *message;
    uint64_t time_usec;
    int level, rule;
} Row;

static int read_row(sd_bus_message *m, Row *ret) {
    return sd_bus_message_read(m, "(sstiissss)", &ret->request_id, &ret->state, &ret->time_usec,
                               &ret->level, &ret->rule, &ret->user, &ret->source_ip, &ret->subject,
                               &ret->message);
}

static void add_text(struct json_object *o, const char *key, const char *text) {
    (void)json_object_object_add(o, key, json_object_new_string(text));
}

static void add_row(struct json_object *array, const Row *row) {
    struct json_object *o = json_object_new_object();

    add_text(o, "request_id", row->request_id);
    add_text(o, "state", row->state);
    (void)json_object_object_add(o, "time_usec", json_object_new_uint64(row->time_usec));
    (void)json_object_object_add(o, "level", json_object_new_int(row->level));
    (void)json_object_object_add(o, "rule", json_object_new_int(row->rule));
    add_text(o, "user", row->user);
    add_text(o, "source_ip", row->source_ip);
    add_text(o, "subject", row->subject);
    add_text(o, "message", row->message);
    (void)json_object_array_add(array, o);
}

static const int widths[] = {28, -5, -6, 12, 0};

static void print_row(const Row *row) {
    char time[64], level[16], rule[16];

    (void)snprintf(level, sizeof(level), "%d", row->level);
    (void)snprintf(rule, sizeof(rule), "%d", row->rule);
    terminal_put_row(stdout, ELEMENTSOF(widths), widths,
                     (const char *[]){ctl_format_time(row->time_usec, time, sizeof(time)), level,
                                      rule, row->state, row->subject},
                     "\n");
}

int verb_alerts(const Context *c, int argc, char *argv[]) {
    _cleanup_json_ struct json_object *array = json_object_new_array();
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    unsigned n = 0;
    Row row;
    int r;

    r = ctl_call(c, "ListAlerts", &m, "u", c->limit);
    if (r < 0)
        return r;
    r = sd_bus_message_enter_container(m, 'a', "(sstiissss)");
    while (r >= 0 && (r = read_row(m, &row)) > 0) {
        if (!c->json && n++ == 0)
            terminal_put_row(
                stdout, ELEMENTSOF(widths), widths,
                (const char *[]){_("TIME"), _("LEVEL"), _("RULE"), _("STATE"), _("SUBJECT")}, "\n");
        if (c->json)
            add_row(array, &row);
        else
            print_row(&row);
    }
    if (r >= 0 && c->json)
        ctl_print_json(array);
    else if (r >= 0 && n == 0)
        (void)printf(_("There are no alerts.\n"));
    return r < 0 ? r : EXIT_SUCCESS;
}
