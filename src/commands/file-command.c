/* SPDX-License-Identifier: Apache-2.0 */
/* A secret leaves in a sealed memfd; its position among the arguments has an empty string, which
 * the executor replaces with the path of the job's file. */
#include "commands/file-command.h"

#include <gnutls/gnutls.h>

#include "basic/bounds.h"
#include "basic/memfd-util.h"
#include "basic/strv.h"
#include "commands/facts.h"
#include "commands/server-commands.h"
#include "proto/json-check.h"
#include "proto/json.h"
#include "proto/message.h"
#include "site/template.h"
#include "store/user-row.h"

/* The values, including those from other sources than the manager. */
typedef struct Filled {
    ArgumentValue *values;
    char **owned; /* texts from other sources, one for each argument */
    size_t n;
} Filled;

static void filled_done(Filled *f) {
    for (size_t i = 0; f->owned && i < f->n; i++)
        free(f->owned[i]);
    free(f->owned);
    free(f->values);
}

static int refuse(char **ret_error, const char *text) {
    *ret_error = strdup(text);
    return *ret_error ? -EINVAL : -ENOMEM;
}

static int find_owner(const CommandFile *f, const Argument *a, const CommandContext *context,
                      const ArgumentValue *values, char **ret) {
    int r = 0;

    for (size_t i = 0; i < f->n_arguments; i++)
        if (streq(f->arguments[i].name, a->user) && values[i].is_set)
            r = store_has_user(context->store, values[i].string);
    return r < 0 ? r : free_and_strdup(ret, r > 0 ? "ours" : "foreign");
}

static int find_value(const CommandFile *f, const Argument *a, const CommandContext *context,
                      const ArgumentValue *values, char **ret, char **ret_error) {
    int r;

    if (a->source == ARGUMENT_FROM_COMMAND)
        return free_and_strdup(ret, context->name);
    if (a->source == ARGUMENT_FROM_CLOUD)
        return free_and_strdup(ret, context->facts ? context->facts->cloud_id : NULL);
    if (a->source == ARGUMENT_FROM_REGION)
        return free_and_strdup(ret, context->facts ? context->facts->region_id : NULL);
    if (a->source == ARGUMENT_FROM_OWNER)
        return find_owner(f, a, context, values, ret);
    r = find_first_address(context, ret);
    return r >= 0 && !*ret ? refuse(ret_error, "This server has no IPv4 address") : r;
}

static int fill(const CommandFile *f, const CommandContext *context, const ArgumentValue *values,
                Filled *ret, char **ret_error) {
    int r = 0;

    ret->n = f->n_arguments;
    ret->values = calloc(f->n_arguments + 1, sizeof(ArgumentValue));
    ret->owned = calloc(f->n_arguments + 1, sizeof(char *));
    if (!ret->values || !ret->owned)
        return -ENOMEM;
    for (size_t i = 0; i < f->n_arguments && r >= 0; i++) {
        ret->values[i] = values[i];
        if (argument_is_public(&f->arguments[i]))
            continue;
        r = find_value(f, &f->arguments[i], context, values, &ret->owned[i], ret_error);
        if (r >= 0)
            ret->values[i] = (ArgumentValue){
                .is_set = ret->owned[i] != NULL,
                .string = ret->owned[i],
                .size = strlen(strempty(ret->owned[i])),
            };
    }
    return r;
}

static int append_list(JobSpec *spec, size_t *n, char *const *list) {
    int r = 0;

    for (char *const *s = list; s && *s && r >= 0; s++)
        r = strv_push(&spec->list, n, strdup(*s));
    return r;
}

/* For a file the executor sets its path here. */
static int append_value(JobSpec *spec, size_t *n, const Argument *a, const ArgumentValue *v) {
    char *text = NULL;

    if (a->type == ARGUMENT_LIST)
        return append_list(spec, n, v->list);
    if (argument_is_file(a))
        return strv_push(&spec->list, n, strdup(""));
    TRY(argument_to_text(a, v, &text));
    return strv_push(&spec->list, n, text);
}

static int append_text(JobSpec *spec, size_t *n, const char *template, const CommandFile *f,
                       const ArgumentValue *values) {
    char *text = NULL;

    TRY(template_expand(template, f->arguments, values, f->n_arguments, &text));
    return strv_push(&spec->list, n, text);
}

/* A list, which must be the last argument, fills all remaining positions. */
static int make_list(const CommandFile *f, const ArgumentValue *values, JobSpec *spec) {
    size_t n = 0;
    int r = 0;

    for (size_t i = 0; r >= 0; i++) {
        const Argument *a = command_file_argument_at(f, i);

        if (a)
            r = append_value(spec, &n, a, &values[a - f->arguments]);
        else if (f->positions && f->positions[i])
            r = append_text(spec, &n, f->positions[i], f, values);
        else
            break;
    }
    spec->arguments = spec->list;
    return r;
}

/* Uses the text form for types that have one: a boolean may be a secret too. */
static int make_secret(const Argument *a, const ArgumentValue *v, JobSecret *ret) {
    _cleanup_free_ char *text = NULL;

    ret->name = a->name;
    if (v->string)
        return memfd_new_sealed(a->name, v->string, v->size, &ret->fd);
    TRY(argument_to_text(a, v, &text));
    return memfd_new_sealed(a->name, text, strlen(text), &ret->fd);
}

static int make_secrets(const CommandFile *f, const ArgumentValue *values, JobSpec *spec) {
    int r = 0;

    spec->secrets = calloc(f->n_arguments + 1, sizeof(JobSecret));
    if (!spec->secrets)
        return -ENOMEM;
    for (size_t i = 0; i < f->n_arguments && r >= 0; i++) {
        if (!command_file_is_apart(f, &f->arguments[i]) || !values[i].is_set)
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

    for (char *const *s = list; array && s && *s; s++) {
        struct json_object *text = json_object_new_string(*s);

        if (!text || json_object_array_add(array, text) < 0) {
            (void)json_object_put(text);
            (void)json_object_put(array);
            return NULL;
        }
    }
    return array;
}

/* Keeps the manager's text, so that no digit is lost; but "00.5" and "1." are not valid in JSON. */
static struct json_object *json_from_number(const ArgumentValue *v) {
    return json_check(v->string, v->size, 1, UINT64_MAX) >= 0
               ? json_object_new_double_s(v->number, v->string)
               : json_object_new_double(v->number);
}

static struct json_object *json_from_value(const Argument *a, const ArgumentValue *v) {
    struct json_object *o = NULL;

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
    case ARGUMENT_OBJECT:
        return json_parse_stored(v->string, v->size, &o) < 0 ? NULL : o;
    default:
        return json_object_new_string(v->string);
    }
}

/* Leaves out values that are absent and have no default. */
static int make_input(const CommandFile *f, const ArgumentValue *values, int *ret_fd) {
    _cleanup_json_ struct json_object *o = json_object_new_object();
    const char *text;
    size_t size;
    int r = o ? 0 : -ENOMEM;

    for (size_t i = 0; i < f->n_arguments && r >= 0; i++)
        if (values[i].is_set && !command_file_is_apart(f, &f->arguments[i]))
            r = json_add(o, f->arguments[i].name, json_from_value(&f->arguments[i], &values[i]));
    if (r < 0)
        return r;
    text = json_to_text(o, &size);
    return text ? memfd_new_sealed("input", text, size, ret_fd) : -ENOMEM;
}

static int make_job(const CommandFile *f, const ArgumentValue *values, JobSpec *spec) {
    spec->command = f->name;
    spec->output = f->output;
    spec->reply_type = f->reply_type;
    spec->stream = f->stream;
    spec->dry_run = f->can_dry_run && values[f->dry_run].boolean;
    spec->reboots = f->reboots && !spec->dry_run;
    TRY(f->json_input ? make_input(f, values, &spec->input_fd) : make_list(f, values, spec));
    return make_secrets(f, values, spec);
}

static int prepare(const Command *c, const CommandContext *context, const ArgumentValue *values,
                   JobSpec *ret, char **ret_error) {
    _cleanup_(job_spec_done) JobSpec spec = JOB_SPEC_INIT;
    _cleanup_(filled_done) Filled filled = {};

    TRY(fill(c->file, context, values, &filled, ret_error));
    TRY(make_job(c->file, filled.values, &spec));
    *ret = spec;
    spec = JOB_SPEC_INIT;
    return 0;
}

/* The script runs later (core/termination.h). */
static int answer_at_once(const CommandContext *context, const ArgumentValue *values,
                          struct json_object **ret_reply, CommandRun **ret_run) {
    return reply_new(0, "void", NULL, context->command->file->message, NULL, ret_reply);
}

/* effects */

static int expand(const CommandFile *f, const ArgumentValue *values, const char *template,
                  char **ret) {
    return template_expand(template, f->arguments, values, f->n_arguments, ret);
}

static int expand_flag(const CommandFile *f, const ArgumentValue *values, const char *template,
                       bool *ret) {
    _cleanup_free_ char *text = NULL;
    int r;

    if (!template)
        return 0;
    r = expand(f, values, template, &text);
    *ret = r >= 0 && strcasecmp(text, "true") == 0;
    return r;
}

static int take_effect(const Command *c, const ArgumentValue *values, Effect *ret) {
    const CommandFile *f = c->file;
    const EffectTexts *e = &f->effect;
    int r = 0;

    if (f->can_dry_run && values[f->dry_run].boolean)
        return 0;
    ret->initialized = e->initialize;
    ret->terminating = e->terminate;
    ret->user_is_there = e->add_user;
    if (e->add_user || e->remove_user) {
        free(TAKE_PTR(ret->user));
        r = expand(f, values, e->add_user ?: e->remove_user, &ret->user);
        if (r >= 0 && isempty(ret->user)) /* of an argument that was not given */
            free(TAKE_PTR(ret->user));
    }
    if (r >= 0)
        r = expand_flag(f, values, e->administrator, &ret->is_administrator);
    return r < 0 ? r : expand_flag(f, values, e->ignore_errors, &ret->ignoring);
}

void file_command_init(Command *c, const CommandFile *file) {
    *c = (Command){
        .name = file->name,
        .kind = file->is_immediate ? COMMAND_IMMEDIATE
                : file->is_long    ? COMMAND_LONG
                                   : COMMAND_NORMAL,
        .summary = file->help,
        .arguments = file->arguments,
        .n_arguments = file->n_arguments,
        .run = file->is_immediate ? answer_at_once : NULL,
        .prepare = file->is_immediate ? NULL : prepare,
        .done = take_effect,
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
