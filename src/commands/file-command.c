/* SPDX-License-Identifier: Apache-2.0 */
/* What is secret leaves in a sealed memfd; in its position among the arguments is an empty string,
 * for which the executor puts the path of the file that the job will have. */
#include "commands/file-command.h"

#include <gnutls/gnutls.h>
#include <inttypes.h>
#include <stdio.h>

#include "basic/bounds.h"
#include "basic/memfd-util.h"
#include "proto/json-check.h"
#include "proto/json.h"

static size_t count_list(char *const *list) {
    size_t n = 0;

    while (list && list[n])
        n++;
    return n;
}

static int print_scalar(const Argument *a, const ArgumentValue *v, char **ret) {
    char number[32];
    const char *text = strempty(v->string);

    if (argument_is_file(a) || !v->is_set)
        text = "";
    else if (a->type == ARGUMENT_BOOL)
        text = v->boolean ? "true" : "false";
    else if (a->type == ARGUMENT_INTEGER) {
        (void)snprintf(number, sizeof(number), "%" PRId64, v->integer);
        text = number;
    }
    *ret = strdup(text);
    return *ret ? 0 : -ENOMEM;
}

/* Each argument has its position; a list, which is the last one, has the rest. */
static int make_list(const CommandFile *f, const ArgumentValue *values, char ***ret) {
    size_t n_more = f->n_arguments > 0 ? count_list(values[f->n_arguments - 1].list) : 0, n = 0;
    char **list = calloc(f->n_arguments + n_more + 1, sizeof(char *));
    int r = list ? 0 : -ENOMEM;

    *ret = list;
    for (size_t i = 0; i < f->n_arguments && r >= 0; i++) {
        if (f->arguments[i].type != ARGUMENT_LIST)
            r = print_scalar(&f->arguments[i], &values[i], &list[n++]);
        for (char **s = values[i].list; s && *s && r >= 0; s++) {
            list[n] = strdup(*s);
            r = list[n++] ? 0 : -ENOMEM;
        }
    }
    return r;
}

/* In its text form if that is what the type is: a boolean may be a secret too. */
static int make_secret(const Argument *a, const ArgumentValue *v, JobSecret *ret) {
    _cleanup_free_ char *text = NULL;
    const Argument open = {.name = a->name, .type = a->type};
    int r;

    ret->name = a->name;
    if (v->string)
        return memfd_new_sealed(a->name, v->string, v->size, &ret->fd);
    r = print_scalar(&open, v, &text);
    return r < 0 ? r : memfd_new_sealed(a->name, text, strlen(text), &ret->fd);
}

static int make_secrets(const CommandFile *f, const ArgumentValue *values, JobSpec *spec) {
    int r = 0;

    spec->secrets = calloc(MAX(f->n_arguments, (size_t)1), sizeof(JobSecret));
    if (!spec->secrets)
        return -ENOMEM;
    for (size_t i = 0; i < f->n_arguments && r >= 0; i++) {
        if (!argument_is_file(&f->arguments[i]) || !values[i].is_set)
            continue;
        r = make_secret(&f->arguments[i], &values[i], &spec->secrets[spec->n_secrets]);
        spec->n_secrets += r >= 0;
    }
    return r;
}

static struct json_object *json_from_bytes(const ArgumentValue *v) {
    const gnutls_datum_t in = {(unsigned char *)v->string, (unsigned)v->size};
    struct json_object *o = NULL;
    gnutls_datum_t out = {};

    if (gnutls_base64_encode2(&in, &out) >= 0)
        o = json_object_new_string_len((const char *)out.data, (int)out.size);
    gnutls_free(out.data);
    return o;
}

static struct json_object *json_from_list(char *const *list) {
    struct json_object *array = json_object_new_array();

    for (char *const *s = list; array && *s; s++) {
        struct json_object *text = json_object_new_string(*s);

        if (!text || json_object_array_add(array, text) < 0) {
            (void)json_object_put(text);
            (void)json_object_put(array);
            return NULL;
        }
    }
    return array;
}

/* As it was given, so that it loses no digit; but "00.5" and "1." are no numbers of JSON. */
static struct json_object *json_from_number(const ArgumentValue *v) {
    return json_check(v->string, v->size, 1, UINT64_MAX) >= 0
               ? json_object_new_double_s(v->number, v->string)
               : json_object_new_double(v->number);
}

static struct json_object *json_from_value(const Argument *a, const ArgumentValue *v) {
    switch (a->type) {
    case ARGUMENT_BOOL:
        return json_object_new_boolean(v->boolean);
    case ARGUMENT_INTEGER:
        return json_object_new_int64(v->integer);
    case ARGUMENT_NUMBER:
        return json_from_number(v);
    case ARGUMENT_BASE64:
        return json_from_bytes(v);
    case ARGUMENT_LIST:
        return json_from_list(v->list);
    default:
        return json_object_new_string(v->string);
    }
}

/* Values that are not given and have no default are not in it. */
static int make_input(const CommandFile *f, const ArgumentValue *values, int *ret_fd) {
    _cleanup_json_ struct json_object *o = json_object_new_object();
    const char *text;
    size_t size;
    int r = o ? 0 : -ENOMEM;

    for (size_t i = 0; i < f->n_arguments && r >= 0; i++)
        if (values[i].is_set)
            r = json_add(o, f->arguments[i].name, json_from_value(&f->arguments[i], &values[i]));
    if (r < 0)
        return r;
    text = json_to_text(o, &size);
    return text ? memfd_new_sealed("input", text, size, ret_fd) : -ENOMEM;
}

static int prepare(const Command *c, const CommandContext *context, const ArgumentValue *values,
                   JobSpec *ret, char **ret_error) {
    _cleanup_(job_spec_done) JobSpec spec = JOB_SPEC_INIT;
    int r;

    spec.command = c->name;
    spec.reply_output = c->file->reply_output;
    if (c->file->json_input)
        r = make_input(c->file, values, &spec.input_fd);
    else {
        r = make_list(c->file, values, &spec.list);
        spec.arguments = spec.list;
        if (r >= 0)
            r = make_secrets(c->file, values, &spec);
    }
    if (r < 0)
        return r;
    *ret = spec;
    spec = JOB_SPEC_INIT;
    return 0;
}

void file_command_init(Command *c, const CommandFile *file) {
    *c = (Command){
        .name = file->name,
        .kind = file->is_long ? COMMAND_LONG : COMMAND_NORMAL,
        .summary = file->help,
        .arguments = file->arguments,
        .n_arguments = file->n_arguments,
        .prepare = prepare,
        .file = file,
    };
}

int file_command_check_defaults(const CommandFile *file, char **ret_error) {
    for (size_t i = 0; i < file->n_arguments; i++) {
        ArgumentValue value = {};
        int r;

        if (!file->arguments[i].fallback)
            continue;
        r = arguments_parse(&file->arguments[i], 1, NULL, &value, ret_error);
        argument_values_done(&value, 1);
        if (r < 0)
            return r;
    }
    return 0;
}
