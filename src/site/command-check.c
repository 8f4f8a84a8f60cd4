/* SPDX-License-Identifier: Apache-2.0 */
#include "site/command-check.h"

#include "basic/bounds.h"
#include "site/template.h"

static bool has_bounds(const Argument *a) {
    return a->min.is_set || a->max.is_set;
}

static bool has_length(const Argument *a) {
    return a->min_length > 0 || a->max_length > 0;
}

static const char *check_bounds(const Argument *a) {
    const bool is_whole =
        (!a->min.is_set || a->min.is_integer) && (!a->max.is_set || a->max.is_integer);

    if (has_bounds(a) && a->type != ARGUMENT_INTEGER && a->type != ARGUMENT_NUMBER)
        return "min and max are for an integer or a number";
    if (a->type == ARGUMENT_INTEGER && !is_whole)
        return "min and max of an integer are integers";
    if (a->min.is_set && a->max.is_set &&
        (a->type == ARGUMENT_INTEGER ? a->min.integer > a->max.integer
                                     : a->min.number > a->max.number))
        return "min is more than max";
    if (has_length(a) && a->type != ARGUMENT_STRING && a->type != ARGUMENT_BASE64 &&
        a->type != ARGUMENT_BASE64_TEXT && a->type != ARGUMENT_LIST)
        return "min_length and max_length are for a string, base64, base64text or a list";
    return a->max_length > 0 && a->min_length > a->max_length ? "min_length is more than max_length"
                                                              : NULL;
}

/* Returns a contradiction within one argument, or NULL. */
static const char *check_argument(const CommandFile *f, size_t i) {
    const Argument *a = &f->arguments[i];

    if (streq(a->name, COMMAND_DRY_RUN) && i != f->dry_run)
        return "the argument dry_run has no section: dry_run = yes in [command] adds it";
    if (a->source != ARGUMENT_FROM_MANAGER)
        return a->type != ARGUMENT_STRING || a->mandatory || a->nullable || a->secret ||
                       a->fallback || a->choices || a->rule != ARGUMENT_ANY || has_bounds(a) ||
                       has_length(a)
                   ? "an argument with `from` has no other key than help"
                   : NULL;
    if (a->fallback &&
        (a->mandatory || a->secret || a->type == ARGUMENT_LIST || a->type == ARGUMENT_OBJECT))
        return "a mandatory or secret argument, a list, or an object has no default";
    if ((a->choices || a->rule != ARGUMENT_ANY) && a->type != ARGUMENT_STRING)
        return "choices and rule are for a string";
    if (a->type == ARGUMENT_LIST && a->secret && (!f->json_input || f->secret_files))
        return "a secret list needs input = json, and no secrets = files";
    return check_bounds(a);
}

static const Argument *find_argument(const CommandFile *f, const char *name) {
    for (size_t i = 0; i < f->n_arguments; i++)
        if (streq(f->arguments[i].name, name))
            return &f->arguments[i];
    return NULL;
}

static const char *check_owner(const CommandFile *f, const Argument *a) {
    const Argument *user = a->user ? find_argument(f, a->user) : NULL;

    return a->source != ARGUMENT_FROM_OWNER ||
                   (user && user->type == ARGUMENT_STRING && argument_is_public(user))
               ? NULL
               : "from = owner needs the name of another argument, a string";
}

static const char *check_arguments(const CommandFile *f) {
    const char *problem = NULL;

    for (size_t i = 0; i < f->n_arguments && !problem; i++)
        problem = check_argument(f, i) ?: check_owner(f, &f->arguments[i]);
    return problem;
}

static size_t count_positions(const CommandFile *f) {
    size_t n = 0;

    if (f->json_input)
        return 0;
    if (!f->positions)
        return MIN(f->dry_run, f->n_arguments);
    while (f->positions[n])
        n++;
    return n;
}

static_assert(COMMAND_SECRETS_MAX == 8, "check_positions() says so");

static const char *check_positions(const CommandFile *f) {
    size_t n = count_positions(f);

    if (f->positions && f->json_input)
        return "positions are for input = arguments";
    for (size_t i = 0; i < n; i++) {
        const Argument *a = command_file_argument_at(f, i);

        if (a && a->type == ARGUMENT_LIST && i + 1 < n)
            return "of positional arguments only the last one can be a list";
        if (!a && f->positions &&
            template_check(f->positions[i], f->arguments, f->n_arguments, true) < 0)
            return "a text in positions cannot be used";
    }
    return NULL;
}

/* Each file is a descriptor in the message that starts the job. */
static bool has_too_many_files(const CommandFile *f) {
    unsigned n = 0;

    for (size_t i = 0; i < f->n_arguments; i++)
        n += command_file_is_apart(f, &f->arguments[i]);
    return n > COMMAND_SECRETS_MAX;
}

static const char *check_effect(const CommandFile *f) {
    const EffectTexts *e = &f->effect;
    const char *const texts[] = {e->add_user, e->administrator, e->remove_user, e->ignore_errors};

    for (size_t i = 0; i < ELEMENTSOF(texts); i++)
        if (texts[i] && template_check(texts[i], f->arguments, f->n_arguments, false) < 0)
            return "a text in [effect] cannot be used";
    if (e->add_user && e->remove_user)
        return "a user is either added or removed";
    if ((e->administrator && !e->add_user) || (e->ignore_errors && !e->terminate))
        return "administrator belongs to add_user, ignore_errors to terminate";
    return NULL;
}

/* The result of a script that runs after the reply would be lost. That suits only `terminate`,
 * which removes the agent. */
static const char *check_kind(const CommandFile *f) {
    if (f->is_immediate && !streq(f->name, COMMAND_TERMINATE))
        return "only the command terminate can be immediate, as nobody would be told how the "
               "script of an immediate command ends; kind = long is answered at once, too";
    if (f->is_immediate != f->effect.terminate || f->is_immediate != (f->message != NULL))
        return "kind = immediate, message and the effect terminate go together";
    if (f->is_immediate && (f->can_dry_run || f->worker))
        return "an immediate command has neither dry_run nor a worker";
    if (f->reboots && (f->is_immediate || f->worker))
        return "neither an immediate command nor a worker can have reboots = yes";
    return NULL;
}

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), n_end = strlen(end);

    return n >= n_end && streq(text + n - n_end, end);
}

/* The script NAME.pre is a hook of the script NAME. */
static const char *check_script(const CommandFile *f) {
    return f->script && *f->script != '/' &&
                   (ends_with(f->script, ".pre") || ends_with(f->script, ".post"))
               ? "the name of a script does not end in .pre or .post, as those of hooks do"
               : NULL;
}

static const char *check_features(const CommandFile *f) {
    static const char *const unseen[] = {"/dev/", "/tmp/", "/var/tmp/"};

    for (size_t i = 0; i < f->n_features; i++) {
        if (!f->features[i].value)
            return "a name in [features_need] is not in [features]";
        for (char *const *need = f->features[i].needs; need && *need; need++)
            for (size_t j = 0; j < ELEMENTSOF(unseen); j++)
                if (strncmp(*need, unseen[j], strlen(unseen[j])) == 0)
                    return "the agent sees nothing below /dev, /tmp and /var/tmp: no feature can "
                           "need it";
    }
    return NULL;
}

static const char *check_output(const CommandFile *f) {
    if (f->worker && f->stream)
        return "stream is for a script";
    if (f->secret_files && (!f->json_input || f->worker))
        return "secrets = files is for a script with input = json";
    if (f->reply_type && f->output == OUTPUT_TEXT)
        return "reply_type is for another output than text";
    return f->output == OUTPUT_JSON && !f->reply_type ? "output = json needs reply_type" : NULL;
}

const char *command_file_check(const CommandFile *f) {
    if (!f->help)
        return "help is missing in [command]";
    if (f->worker && f->script)
        return "there is either a script or a worker";
    if (f->worker_path && !f->worker)
        return "worker_path is for a worker";
    if (has_too_many_files(f))
        return "more than 8 arguments that are secret or base64 need input = json";
    return check_arguments(f)
               ?: check_positions(f)
               ?: check_effect(f)
               ?: check_kind(f) ?: check_script(f) ?: check_features(f) ?: check_output(f);
}
