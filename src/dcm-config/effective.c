/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-config/effective.h"

#include <stdio.h>

#include "basic/i18n.h"
#include "basic/terminal.h"
#include "cli/screen.h"
#include "proto/json.h"

#define VALUE_WIDTH 40

typedef struct Row {
    const char *section, *name, *value;
    ConfigOrigin origin;
} Row;

/* Where both have no room in a line, the place is a comment above. */
static void print_with_place(const char *text, const char *place) {
    const int width = MAX(terminal_width(stdout, text), VALUE_WIDTH);

    if (terminal_width(stdout, place) + 1 > screen_get_width() - width) {
        terminal_printf(stdout, "%s\n", place);
        terminal_printf(stdout, "%s\n", text);
    } else {
        terminal_put_padded(stdout, text, VALUE_WIDTH);
        terminal_printf(stdout, " %s\n", place);
    }
}

static void print_row(const Row *row, const char *last_section) {
    _cleanup_free_ char *text = NULL, *place = NULL;

    if (!streq(row->section, last_section)) {
        (void)fputs(*last_section ? "\n" : "", stdout);
        terminal_printf(stdout, "[%s]\n", row->section);
    }
    if (asprintf(&text, "%s = %s", row->name, row->value) < 0)
        text = NULL;
    if ((row->origin.file ? asprintf(&place, "; %s:%u", row->origin.file, row->origin.line)
                          : asprintf(&place, "; default")) < 0)
        place = NULL;
    if (!text || !place)
        return;
    print_with_place(text, place);
}

static int add_row(struct json_object *list, const Row *row) {
    struct json_object *o = json_object_new_object();

    if (json_add_string(o, "section", row->section) >= 0 &&
        json_add_string(o, "key", row->name) >= 0 && json_add_string(o, "value", row->value) >= 0 &&
        json_add_string(o, "file", row->origin.file) >= 0 &&
        json_add_int(o, "line", row->origin.line) >= 0 && json_object_array_add(list, o) >= 0)
        return 0;
    (void)json_object_put(o);
    return -ENOMEM;
}

typedef struct Output {
    struct json_object *list; /* NULL: for people */
    const char *last_section;
} Output;

static int put(const char *section, const char *name, const char *value, const ConfigOrigin *origin,
               void *userdata) {
    const Row row = {.section = section, .name = name, .value = value, .origin = *origin};
    Output *o = userdata;

    if (o->list)
        return add_row(o->list, &row);
    print_row(&row, o->last_section);
    o->last_section = section;
    return 0;
}

int effective_print(const Config *c, bool json) {
    _cleanup_json_ struct json_object *list = json ? json_object_new_array() : NULL;
    Output o = {.list = list, .last_section = ""};
    int r = json && !list ? -ENOMEM : config_visit(c, put, &o);

    if (r >= 0 && json) {
        terminal_put_json(stdout, json_object_to_json_string_ext(
                                      list, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                                JSON_C_TO_STRING_NOSLASHESCAPE));
        (void)putchar('\n');
    }
    if (r < 0)
        (void)fprintf(stderr, _("The configuration cannot be read: %s\n"), strerror(-r));
    return screen_end() < 0 || r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
