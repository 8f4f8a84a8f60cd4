/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the tables that the programs work by as JSON: commands, statistics, configuration keys. */
#include <stdio.h>

#include "commands/command-table.h"
#include "core/config.h"
#include "health/stat-type.h"
#include "proto/json.h"

static void set(struct json_object *o, const char *key, struct json_object *value) {
    if (json_object_object_add(o, key, value) < 0)
        abort();
}

static struct json_object *text(const char *s) {
    return s ? json_object_new_string(s) : NULL;
}

static void append(struct json_object *array, struct json_object *value) {
    if (json_object_array_add(array, value) < 0)
        abort();
}

static struct json_object *commands(void) {
    struct json_object *ret = json_object_new_array();
    size_t n;
    const Command *table = command_table(&n);

    for (size_t i = 0; i < n; i++) {
        struct json_object *o = json_object_new_object(), *arguments = json_object_new_array();

        for (size_t k = 0; k < table[i].n_arguments; k++) {
            const Argument *a = table[i].arguments + k;
            struct json_object *argument = json_object_new_object();

            set(argument, "name", text(a->name));
            set(argument, "type", text(argument_type_to_string(a->type)));
            set(argument, "mandatory", json_object_new_boolean(a->mandatory));
            append(arguments, argument);
        }
        set(o, "name", text(table[i].name));
        set(o, "arguments", arguments);
        append(ret, o);
    }
    return ret;
}

static void append_fields(struct json_object *array, const StatField *fields, size_t n) {
    for (size_t i = 0; i < n; i++) {
        struct json_object *field = json_object_new_array();

        append(field, text(fields[i].key));
        append(field, text(fields[i].unit));
        append(array, field);
    }
}

static struct json_object *statistics(void) {
    struct json_object *ret = json_object_new_array();
    size_t n;
    const StatType *table = stat_type_table(&n);

    for (size_t i = 0; i < n; i++) {
        struct json_object *o = json_object_new_object(), *fields = json_object_new_array();

        append_fields(fields, table[i].fields, table[i].n_fields);
        append_fields(fields, table[i].row_fields, table[i].n_row_fields);
        set(o, "name", text(table[i].name));
        set(o, "reply_type", text(table[i].reply_type));
        set(o, "fields", fields);
        set(o, "rows", text(table[i].rows));
        append(ret, o);
    }
    return ret;
}

static struct json_object *keys(void) {
    struct json_object *ret = json_object_new_array();
    ConfigKey key;

    for (size_t i = 0; config_key(i, &key); i++) {
        struct json_object *o = json_object_new_object();

        set(o, "section", text(key.section));
        set(o, "name", text(key.name));
        set(o, "type", text(key.type));
        set(o, "default", text(key.initial));
        set(o, "min", json_object_new_double(key.min));
        set(o, "max", json_object_new_double(key.max));
        append(ret, o);
    }
    return ret;
}

int main(void) {
    _cleanup_json_ struct json_object *tables = json_object_new_object();

    set(tables, "commands", commands());
    set(tables, "statistics", statistics());
    set(tables, "keys", keys());
    return puts(json_object_to_json_string(tables)) < 0;
}
