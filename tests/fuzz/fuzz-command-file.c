/* SPDX-License-Identifier: Apache-2.0 */
/* A file of commands.d: it is either taken or told why not. Behind a NUL, the arguments of a
 * request for the command that it defines: what the job gets has each value in its place, and
 * nothing secret on the command line. */
#include <sys/stat.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/file-util.h"
#include "commands/file-command.h"
#include "fuzz.h"
#include "proto/json.h"
#include "proto/text.h"
#include "site/command-reader.h"

static bool is_text(const char *text) {
    return bus_text_is_valid(text);
}

static void check_file(const CommandFile *f) {
    JobLimits limits;

    CHECK(f->name && f->help && (!f->script) == (f->worker != NULL));
    CHECK(!f->worker == !f->worker_path);
    CHECK(f->n_arguments <= COMMAND_ARGUMENTS_MAX + 1);
    for (char **s = f->strings; *s; s++)
        CHECK(is_text(*s));
    for (const SandboxSetting *s = f->sandbox; s; s = s->next)
        for (char **v = s->values; v && *v; v++)
            CHECK(is_text(*v));
    for (size_t i = 0; i < f->n_arguments; i++) {
        CHECK(command_name_is_valid(f->arguments[i].name));
        for (size_t k = 0; k < i; k++)
            CHECK(!streq(f->arguments[i].name, f->arguments[k].name));
    }
    command_file_get_limits(f, &limits);
    CHECK(limits.timeout_usec >= USEC_PER_SEC && limits.output_max <= JOB_OUTPUT_MAX);
}

/* Each position has its text; a list, which is the last one, has the rest. */
static void check_list(const CommandFile *f, const ArgumentValue *values, const JobSpec *spec) {
    size_t n = 0;

    for (size_t i = 0;; i++) {
        const Argument *a = command_file_argument_at(f, i);

        if (!a && !(f->positions && f->positions[i]))
            break;
        if (a && a->type == ARGUMENT_LIST) {
            for (char **s = values[a - f->arguments].list; s && *s; s++)
                CHECK(streq(spec->arguments[n++], *s));
            continue;
        }
        CHECK(spec->arguments[n]);
        CHECK(!a || !argument_is_file(a) || !*spec->arguments[n]);
        n++;
    }
    CHECK(!spec->arguments || !spec->arguments[n]);
}

static void check_secrets(const CommandFile *f, const ArgumentValue *values, const JobSpec *spec) {
    size_t n = 0;
    struct stat st;

    for (size_t i = 0; i < f->n_arguments; i++) {
        if (!command_file_is_apart(f, &f->arguments[i]) || !values[i].is_set)
            continue;
        CHECK(n < spec->n_secrets && streq(spec->secrets[n].name, f->arguments[i].name));
        CHECK(fstat(spec->secrets[n].fd, &st) == 0);
        CHECK(!values[i].string || (size_t)st.st_size == values[i].size);
        n++;
    }
    CHECK(n == spec->n_secrets && n <= COMMAND_SECRETS_MAX);
}

static void check_input(const CommandFile *f, const ArgumentValue *values, const JobSpec *spec) {
    _cleanup_json_ struct json_object *o = NULL;
    _cleanup_free_ char *text = NULL;
    size_t size = 0;

    CHECK(lseek(spec->input_fd, 0, SEEK_SET) == 0);
    CHECK(read_fd(spec->input_fd, MESSAGE_SIZE_MAX, &text, &size) == 0);
    CHECK(json_parse(text, size, &o) == 0);
    for (size_t i = 0; i < f->n_arguments; i++)
        CHECK((values[i].is_set && !command_file_is_apart(f, &f->arguments[i])) ==
              json_object_object_get_ex(o, f->arguments[i].name, NULL));
}

static void check_bounds(const Argument *a, const ArgumentValue *v) {
    size_t n = v->size;

    if (!v->is_set)
        return;
    for (n = a->type == ARGUMENT_LIST ? 0 : n; a->type == ARGUMENT_LIST && v->list[n];)
        n++;
    CHECK(n >= a->min_length && (a->max_length == 0 || n <= a->max_length));
    if (a->type == ARGUMENT_INTEGER && a->min.is_set)
        CHECK(v->integer >= a->min.integer);
    if (a->type == ARGUMENT_NUMBER && a->max.is_set)
        CHECK(v->number <= a->max.number);
}

static void check_arguments(const Command *c, const char *text, size_t size) {
    _cleanup_free_ char *error = NULL, *prepare_error = NULL;
    _cleanup_json_ struct json_object *arguments = NULL;
    ArgumentValue values[COMMAND_ARGUMENTS_MAX + 1];
    Effect effect = {};
    JobSpec spec = JOB_SPEC_INIT;
    int r;

    if (json_parse(text, size, &arguments) < 0)
        return;
    r = command_parse_arguments(c, arguments, values, &error);
    CHECK((r == -EINVAL) == (error != NULL));
    if (r < 0)
        return;
    for (size_t i = 0; i < c->n_arguments; i++)
        if (c->arguments[i].rule == ARGUMENT_ANY) /* a host name is what is left of the value */
            check_bounds(&c->arguments[i], &values[i]);
    CHECK(c->done(c, values, &effect) == 0);
    effect_done(&effect);
    if (c->prepare) {
        CHECK(c->prepare(c, &(CommandContext){}, values, &spec, &prepare_error) == 0);
        if (c->file->json_input)
            check_input(c->file, values, &spec);
        else
            check_list(c->file, values, &spec);
        check_secrets(c->file, values, &spec);
        job_spec_done(&spec);
    }
    argument_values_done(values, c->n_arguments);
}

static void check_command(const CommandFile *f, const char *text, size_t size) {
    _cleanup_free_ char *error = NULL;
    Command c;
    int r;

    r = file_command_check_defaults(f, &error);
    CHECK((r == -EINVAL) == (error != NULL));
    if (r < 0)
        return;
    file_command_init(&c, f);
    for (size_t i = 0; i < f->n_arguments; i++)
        if (!argument_is_public(&f->arguments[i])) /* would ask the server */
            return;
    check_arguments(&c, text, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_free_ char *text = fuzz_text(data, size), *error = NULL;
    size_t used = strlen(text);
    CommandFile *f = NULL;
    int r;

    r = command_file_parse(strstr(text, "immediate") ? COMMAND_TERMINATE : "fuzz", text, &f,
                           &error);
    CHECK((r == -EINVAL) == (error != NULL));
    CHECK((r == 0) == (f != NULL));
    if (f) {
        check_file(f);
        check_command(f, text + MIN(used + 1, size), size - MIN(used + 1, size));
    }
    command_file_free(f);
    return 0;
}
