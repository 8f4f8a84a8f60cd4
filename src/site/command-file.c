/* SPDX-License-Identifier: Apache-2.0 */
#include "site/command-file.h"

#include <ctype.h>

#include "basic/bounds.h"
#include "basic/strv.h"
#include "site/template.h"

CommandFile *command_file_free(CommandFile *f) {
    if (!f)
        return NULL;
    for (size_t i = 0; i < f->n_limits; i++)
        job_limit_free(f->limits[i]);
    free(f->limits);
    for (size_t i = 0; i < f->n_arguments; i++)
        strv_free((char **)(uintptr_t)f->arguments[i].choices);
    free(f->arguments);
    for (size_t i = 0; i < f->n_features; i++)
        strv_free(f->features[i].needs);
    free(f->features);
    sandbox_free(f->sandbox);
    strv_free(f->includes);
    strv_free(f->positions);
    strv_free(f->strings);
    free(f);
    return NULL;
}

bool command_name_is_valid(const char *name) {
    size_t n = strlen(name);

    if (n == 0 || n > COMMAND_FILE_NAME_MAX || !isalnum((unsigned char)name[0]))
        return false;
    for (const char *p = name; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("._-", *p))
            return false;
    return true;
}

bool command_file_has_name(const CommandFile *f, const char *name) {
    size_t n = f->names ? strlen(f->names) - strlen(".*") : 0;

    return n > 0 && strncmp(f->names, name, n) == 0 && command_name_is_valid(name);
}

const Argument *command_file_argument_at(const CommandFile *f, size_t position) {
    if (f->json_input)
        return NULL;
    if (!f->positions)
        return position < MIN(f->dry_run, f->n_arguments) ? &f->arguments[position] : NULL;
    for (size_t i = 0; f->positions[i]; i++)
        if (i == position)
            return template_is_argument(f->positions[i], f->arguments, f->n_arguments);
    return NULL;
}

/* Whether the job receives the value at all, by itself. */
static bool is_handed_on(const CommandFile *f, const Argument *a) {
    if (!f->positions)
        return true;
    for (size_t i = 0; f->positions[i]; i++)
        if (command_file_argument_at(f, i) == a)
            return true;
    return false;
}

bool command_file_is_apart(const CommandFile *f, const Argument *a) {
    if (f->json_input)
        return f->secret_files && a->secret;
    return argument_is_file(a) && is_handed_on(f, a);
}

bool command_file_has_secret(const CommandFile *f) {
    for (size_t i = 0; i < f->n_arguments; i++)
        if (f->arguments[i].secret && is_handed_on(f, &f->arguments[i]))
            return true;
    return false;
}

void command_file_get_limits(const CommandFile *f, JobLimits *ret) {
    job_limits_init(ret);
    ret->output_max = JOB_OUTPUT_MAX; /* the policy's, unless the file sets less */
    for (size_t i = 0; i < f->n_limits; i++)
        job_limit_apply(f->limits[i], ret);
}
