/* SPDX-License-Identifier: Apache-2.0 */
/* One mistake makes the whole file invalid: a command that differs from its author's intention is
 * worse than none. The first mistake is reported. */
#include "site/command-reader.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <systemd/sd-bus.h>

#include "basic/bounds.h"
#include "basic/ini-file.h"
#include "basic/parse-util.h"
#include "basic/strv.h"
#include "basic/utf8.h"
#include "proto/text.h"
#include "site/command-check.h"
#include "site/trusted-file.h"

#define ARGUMENT_SECTION "argument "
#define LINE_FORMAT "line %u: "

typedef struct Reader {
    CommandFile *file;
    SandboxSetting **last_setting;
    char *error;
    bool failed;
} Reader;

/* Checks for text that D-Bus does not accept: all strings reach the bus. */
static int keep(CommandFile *f, const char *text, const char **ret) {
    char **strings, *copy;

    if (!bus_text_is_valid(text))
        return -EINVAL;
    strings = reallocarray(f->strings, f->n_strings + 2, sizeof(char *));
    copy = strdup(text);
    if (strings)
        f->strings = strings;
    if (!strings || !copy) {
        free(copy);
        return -ENOMEM;
    }
    strings[f->n_strings++] = copy;
    strings[f->n_strings] = NULL;
    *ret = copy;
    return 0;
}

/* Checks for that too. */
static int keep_words(const char *value, char ***ret) {
    return bus_text_is_valid(value) ? parse_words(value, ret) : -EINVAL;
}

/* Returns the index of a word in a NULL-terminated list. */
static int parse_choice(const char *value, const char *const *words, unsigned *ret) {
    for (unsigned i = 0; words[i]; i++)
        if (streq(value, words[i])) {
            *ret = i;
            return 0;
        }
    return -EINVAL;
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define KINDS WORDS("normal", "long", "immediate")
#define INPUTS WORDS("arguments", "json")
#define SECRETS WORDS("input", "files")
#define OUTPUTS WORDS("text", "string", "json", "reply")

/* [command] */

static int set_kind(CommandFile *f, const char *value) {
    unsigned kind;

    TRY(parse_choice(value, KINDS, &kind));
    f->is_long = kind == 1;
    f->is_immediate = kind == 2;
    return 0;
}

static int set_input(CommandFile *f, const char *value) {
    unsigned input;
    int r;

    r = parse_choice(value, INPUTS, &input);
    f->json_input = r >= 0 ? input == 1 : f->json_input;
    return r;
}

static int set_secrets(CommandFile *f, const char *value) {
    unsigned secrets;
    int r;

    r = parse_choice(value, SECRETS, &secrets);
    f->secret_files = r >= 0 ? secrets == 1 : f->secret_files;
    return r;
}

static int set_output(CommandFile *f, const char *value) {
    unsigned output;
    int r;

    r = parse_choice(value, OUTPUTS, &output);
    f->output = r >= 0 ? (CommandOutput)output : f->output;
    return r;
}

static int set_script(CommandFile *f, const char *value) {
    bool ok = value[0] == '/' ? paths_are_valid((char *const[]){(char *)value, NULL})
                              : command_name_is_valid(value);

    return ok ? keep(f, value, &f->script) : -EINVAL;
}

static int set_worker(CommandFile *f, const char *value) {
    return sd_bus_service_name_is_valid(value) > 0 && value[0] != ':' ? keep(f, value, &f->worker)
                                                                      : -EINVAL;
}

static int set_worker_path(CommandFile *f, const char *value) {
    return sd_bus_object_path_is_valid(value) > 0 ? keep(f, value, &f->worker_path) : -EINVAL;
}

/* Refuses the agent's own users: a command would get their files and rights. */
static int set_user(CommandFile *f, const char *value) {
    const size_t size = strlen(value);
    bool ok = size > 0 && size <= JOB_USER_NAME_MAX && !isdigit((unsigned char)value[0]) &&
              value[0] != '-' && strncmp(value, "dcm-", strlen("dcm-")) != 0;

    for (const char *p = value; *p && ok; p++)
        ok = isalnum((unsigned char)*p) || strchr("_-", *p);
    return ok ? keep(f, value, &f->user) : -EINVAL;
}

static int set_includes(CommandFile *f, const char *value) {
    int r = parse_words(value, &f->includes);

    for (size_t i = 0; r >= 0 && f->includes[i]; i++)
        if (!command_name_is_valid(f->includes[i]))
            return -EINVAL;
    return r;
}

/* NAME.*: a pattern that managers know from the Python agent */
static int set_names(CommandFile *f, const char *value) {
    size_t n = strlen(value);
    _cleanup_free_ char *beginning = n > 2 ? strndup(value, n - 2) : NULL;

    if (n > 2 && !beginning)
        return -ENOMEM;
    return n > 2 && streq(value + n - 2, ".*") && command_name_is_valid(beginning)
               ? keep(f, value, &f->names)
               : -EINVAL;
}

static int set_help(CommandFile *f, const char *value) {
    return keep(f, value, &f->help);
}

static int set_message(CommandFile *f, const char *value) {
    return keep(f, value, &f->message);
}

static int set_reply_type(CommandFile *f, const char *value) {
    return command_name_is_valid(value) ? keep(f, value, &f->reply_type) : -EINVAL;
}

static int set_positions(CommandFile *f, const char *value) {
    int r = keep_words(value, &f->positions);

    for (size_t i = 0; r >= 0 && f->positions[i]; i++)
        if (i >= COMMAND_ARGUMENTS_MAX)
            return -EINVAL;
    return r;
}

static int set_finish_time(CommandFile *f, const char *value) {
    uint64_t seconds;

    TRY(parse_size(value, &seconds));
    f->finish_usec = seconds * USEC_PER_SEC;
    return seconds >= 1 && seconds <= JOB_FINISH_USEC_MAX / USEC_PER_SEC ? 0 : -EINVAL;
}

static int set_command(CommandFile *f, const char *name, const char *value) {
    static const struct {
        const char *name;
        int (*set)(CommandFile *f, const char *value); /* NULL: a boolean */
        size_t offset;
    } keys[] = {
        {"help", set_help},
        {"kind", set_kind},
        {"user", set_user},
        {"includes", set_includes},
        {"names", set_names},
        {"script", set_script},
        {"worker", set_worker},
        {"worker_path", set_worker_path},
        {"input", set_input},
        {"positions", set_positions},
        {"secrets", set_secrets},
        {"output", set_output},
        {"reply_type", set_reply_type},
        {"message", set_message},
        {"finish_time", set_finish_time},
        {"stream", NULL, offsetof(CommandFile, stream)},
        {"dry_run", NULL, offsetof(CommandFile, can_dry_run)},
        {"reboots", NULL, offsetof(CommandFile, reboots)},
    };

    for (size_t i = 0; i < ELEMENTSOF(keys); i++)
        if (streq(keys[i].name, name))
            return keys[i].set ? keys[i].set(f, value)
                               : parse_bool(value, (bool *)((char *)f + keys[i].offset));
    return -ENOKEY;
}

/* [argument NAME] */

static int add_argument(CommandFile *f, const char *name, Argument **ret) {
    Argument *a = reallocarray(f->arguments, f->n_arguments + 1, sizeof(*a));

    if (!a)
        return -ENOMEM;
    f->arguments = a;
    *ret = &a[f->n_arguments++];
    **ret = (Argument){.help = "", .name = ""};
    return keep(f, name, &(*ret)->name);
}

static int find_argument(CommandFile *f, const char *name, Argument **ret) {
    for (size_t i = 0; i < f->n_arguments; i++)
        if (streq(f->arguments[i].name, name)) {
            *ret = &f->arguments[i];
            return 0;
        }
    if (f->n_arguments >= COMMAND_ARGUMENTS_MAX || !command_name_is_valid(name))
        return -EINVAL;
    return add_argument(f, name, ret);
}

static int set_type(Argument *a, const char *value) {
    ArgumentType type = argument_type_from_string(value);

    if (type < 0)
        return -EINVAL;
    a->type = type;
    return 0;
}

static int set_rule(Argument *a, const char *value) {
    ArgumentRule rule = argument_rule_from_string(value);

    if (rule < 0)
        return -EINVAL;
    a->rule = rule;
    return 0;
}

/* Parses a number without a fraction, or with one. */
static int set_bound(const char *value, ArgumentBound *ret) {
    ArgumentBound b = {.is_set = true};
    char *end;

    if (!*value || value[strspn(value, "0123456789+-.eE")])
        return -EINVAL;
    errno = 0;
    b.integer = strtoll(value, &end, 10);
    b.is_integer = errno == 0 && !*end;
    b.number = strtod(value, &end);
    if (*end || !isfinite(b.number))
        return -EINVAL;
    *ret = b;
    return 0;
}

static int set_length(const char *value, size_t min, size_t *ret) {
    uint64_t n;

    TRY(parse_size(value, &n));
    if (n < min || n > MESSAGE_SIZE_MAX)
        return -EINVAL;
    *ret = n;
    return 0;
}

static int set_choices(Argument *a, const char *value) {
    char **choices = NULL;

    TRY(keep_words(value, &choices));
    strv_free((char **)(uintptr_t)a->choices);
    a->choices = choices;
    return choices[0] ? 0 : -EINVAL;
}

/* Parses "command", "address", "cloud", "region", or "owner ARGUMENT". */
static int set_from(CommandFile *f, Argument *a, const char *value) {
    static const char owner[] = "owner ";
    unsigned source;
    int r;

    if (strncmp(value, owner, strlen(owner)) == 0) {
        a->source = ARGUMENT_FROM_OWNER;
        return keep(f, value + strlen(owner), &a->user);
    }
    r = parse_choice(value, WORDS("command", "address", "cloud", "region"), &source);
    if (r >= 0)
        a->source = (ArgumentSource)(ARGUMENT_FROM_COMMAND + source);
    return r;
}

static int set_argument(CommandFile *f, const char *argument, const char *name, const char *value) {
    Argument *a;

    TRY(find_argument(f, argument, &a));
    if (streq(name, "type"))
        return set_type(a, value);
    if (streq(name, "rule"))
        return set_rule(a, value);
    if (streq(name, "choices"))
        return set_choices(a, value);
    if (streq(name, "min"))
        return set_bound(value, &a->min);
    if (streq(name, "max"))
        return set_bound(value, &a->max);
    if (streq(name, "min_length"))
        return set_length(value, 0, &a->min_length);
    if (streq(name, "max_length"))
        return set_length(value, 1, &a->max_length);
    if (streq(name, "from"))
        return set_from(f, a, value);
    if (streq(name, "mandatory"))
        return parse_bool(value, &a->mandatory);
    if (streq(name, "nullable"))
        return parse_bool(value, &a->nullable);
    if (streq(name, "secret"))
        return parse_bool(value, &a->secret);
    if (streq(name, "default"))
        return keep(f, value, &a->fallback);
    if (streq(name, "help"))
        return keep(f, value, &a->help);
    return -ENOKEY;
}

/* the other sections */

static int set_effect(CommandFile *f, const char *name, const char *value) {
    EffectTexts *e = &f->effect;

    if (streq(name, "add_user"))
        return keep(f, value, &e->add_user);
    if (streq(name, "administrator"))
        return keep(f, value, &e->administrator);
    if (streq(name, "remove_user"))
        return keep(f, value, &e->remove_user);
    if (streq(name, "initialize"))
        return parse_bool(value, &e->initialize);
    if (streq(name, "terminate"))
        return parse_bool(value, &e->terminate);
    if (streq(name, "ignore_errors"))
        return keep(f, value, &e->ignore_errors);
    return -ENOKEY;
}

static CommandFeature *find_feature(CommandFile *f, const char *name) {
    for (size_t i = 0; i < f->n_features; i++)
        if (streq(f->features[i].name, name))
            return &f->features[i];
    return NULL;
}

/* Finds it, or adds it without a value. */
static int take_feature(CommandFile *f, const char *name, CommandFeature **ret) {
    CommandFeature *features;

    *ret = find_feature(f, name);
    if (*ret)
        return 0;
    if (f->n_features >= COMMAND_FEATURES_MAX || !*name || strlen(name) > PEER_TEXT_MAX)
        return -EINVAL;
    features = reallocarray(f->features, f->n_features + 1, sizeof(*f->features));
    if (!features)
        return -ENOMEM;
    f->features = features;
    *ret = &features[f->n_features];
    **ret = (CommandFeature){};
    TRY(keep(f, name, &(*ret)->name));
    f->n_features++;
    return 0;
}

static int set_feature(CommandFile *f, const char *name, const char *value) {
    CommandFeature *feature;

    if (strlen(value) > PEER_TEXT_MAX)
        return -EINVAL;
    TRY(take_feature(f, name, &feature));
    return keep(f, value, &feature->value);
}

/* Each word is a program's name or an absolute path. */
static int set_feature_needs(CommandFile *f, const char *name, const char *value) {
    CommandFeature *feature;

    TRY(take_feature(f, name, &feature));
    TRY(keep_words(value, &feature->needs));
    for (char **need = feature->needs; *need; need++)
        if (**need == '/' ? !paths_are_valid((char *[]){*need, NULL}) : strchr(*need, '/') != NULL)
            return -EINVAL;
    return 0;
}

static int add_limit(CommandFile *f, const char *name, const char *value) {
    JobLimit **limits = reallocarray(f->limits, f->n_limits + 1, sizeof(JobLimit *));
    int r;

    if (!limits)
        return -ENOMEM;
    f->limits = limits;
    r = job_limit_new(name, value, &limits[f->n_limits]);
    f->n_limits += r >= 0;
    return r;
}

static int add_setting(Reader *r, const char *name, const char *value) {
    int k;

    k = sandbox_setting_new(name, value, r->last_setting);
    if (k >= 0)
        r->last_setting = &(*r->last_setting)->next;
    return k;
}

static int on_value(const IniPlace *at, const char *value, void *userdata) {
    const char *section = at->section, *name = at->name;
    const size_t prefix = strlen(ARGUMENT_SECTION);
    Reader *r = userdata;

    if (streq(section, "command") && streq(name, "user"))
        r->file->user_line = at->line;
    if (streq(section, "command"))
        return set_command(r->file, name, value);
    if (streq(section, "effect"))
        return set_effect(r->file, name, value);
    if (streq(section, "features"))
        return set_feature(r->file, name, value);
    if (streq(section, "features_need"))
        return set_feature_needs(r->file, name, value);
    if (streq(section, "limits"))
        return add_limit(r->file, name, value);
    if (streq(section, "sandbox"))
        return add_setting(r, name, value);
    if (strncmp(section, ARGUMENT_SECTION, prefix) == 0)
        return set_argument(r->file, section + prefix, name, value);
    return -ENOKEY;
}

static int on_section(const IniPlace *at, void *userdata) {
    const size_t prefix = strlen(ARGUMENT_SECTION);
    const char *section = at->section;
    Reader *r = userdata;
    unsigned known;
    Argument *a;

    if (strncmp(section, ARGUMENT_SECTION, prefix) == 0)
        return find_argument(r->file, section + prefix, &a);
    return parse_choice(
        section, WORDS("command", "effect", "features", "features_need", "limits", "sandbox"),
        &known);
}

static void list(const char *const *words, char *buf, size_t size) {
    size_t used = (size_t)utf8_format(buf, size, "one of %s", *words);

    while (*++words)
        used += (size_t)utf8_format(buf + used, size - used, ", %s", *words);
}

static void on_invalid(const IniPlace *at, char *buf, size_t size, void *userdata) {
    const struct {
        const char *name;
        const char *const *words;
    } known[] = {{"kind", KINDS}, {"input", INPUTS}, {"secrets", SECRETS}, {"output", OUTPUTS}};
    static const char *const booleans[] = {"mandatory", "nullable", "secret", "stream", "dry_run"};
    const char *types[_ARGUMENT_TYPE_MAX + 1] = {};

    for (size_t i = 0; i < ELEMENTSOF(known); i++)
        if (streq(at->name, known[i].name))
            list(known[i].words, buf, size);
    for (size_t i = 0; i < ELEMENTSOF(booleans); i++)
        if (streq(at->name, booleans[i]))
            (void)utf8_format(buf, size, "yes or no");
    for (ArgumentType t = 0; t < _ARGUMENT_TYPE_MAX; t++)
        types[t] = argument_type_to_string(t);
    if (streq(at->name, "type"))
        list(types, buf, size);
}

static void on_problem(const char *file, unsigned line, const char *text, void *userdata) {
    Reader *r = userdata;

    if (!r->error && (line > 0 ? asprintf(&r->error, LINE_FORMAT "%s", line, text)
                               : asprintf(&r->error, "%s", text)) < 0)
        r->error = NULL;
    r->failed = true;
}

/* Adds the argument that files need not describe. */
static int complete_dry_run(CommandFile *f) {
    Argument *a;

    f->dry_run = f->can_dry_run ? f->n_arguments : SIZE_MAX;
    if (!f->can_dry_run)
        return 0;
    TRY(add_argument(f, COMMAND_DRY_RUN, &a));
    a->type = ARGUMENT_BOOL;
    return keep(f, "say whether it could be done, and do nothing", &a->help);
}

static int complete(CommandFile *f, const char *name) {
    int r;

    r = keep(f, name, &f->name);
    if (r >= 0 && !f->user)
        r = keep(f, JOB_USER, &f->user);
    if (r >= 0)
        r = complete_dry_run(f);
    if (r < 0)
        return r;
    if (f->worker) {
        f->json_input = true;
        f->output = OUTPUT_REPLY;
        return f->worker_path ? 0 : keep(f, "/org/dcmagent/Worker1", &f->worker_path);
    }
    return f->script ? 0 : keep(f, name, &f->script);
}

unsigned command_error_line(const char *error, const char **ret_rest) {
    unsigned line = 0;
    int n = 0;

    *ret_rest = sscanf(error, LINE_FORMAT "%n", &line, &n) == 1 && n > 0 ? error + n : error;
    return n > 0 ? line : 0;
}

int command_file_parse(const char *name, const char *text, CommandFile **ret, char **ret_error) {
    static const IniCallbacks callbacks = {
        .on_value = on_value,
        .on_section = on_section,
        .on_invalid = on_invalid,
        .on_problem = on_problem,
    };
    _cleanup_(command_file_freep) CommandFile *f = calloc(1, sizeof(*f));
    const char *problem;
    Reader reader = {};
    int r;

    if (!f)
        return -ENOMEM;
    reader.file = f;
    reader.last_setting = &f->sandbox;
    r = ini_file_parse(name, text, &callbacks, &reader);
    if (r >= 0)
        r = complete(f, name);
    if (r < 0) {
        free(reader.error);
        return r;
    }
    problem = command_file_check(f);
    if (problem && !reader.failed)
        on_problem(name, 0, problem, &reader);
    if (reader.failed && !reader.error)
        return -ENOMEM;
    if (reader.failed) {
        *ret_error = reader.error;
        return -EINVAL;
    }
    *ret = TAKE_PTR(f);
    return 0;
}

int command_file_load(const char *directory, const char *name, CommandFile **ret,
                      char **ret_error) {
    _cleanup_free_ char *path = NULL, *text = NULL;
    size_t size;

    if (!command_name_is_valid(name))
        return -ENOENT;
    if (asprintf(&path, "%s/%s.conf", directory, name) < 0)
        return -ENOMEM;
    TRY(trusted_file_read(path, CONFIG_FILE_MAX, &text, &size, ret_error));
    if (size == 0)
        return -ERFKILL;
    if (strlen(text) != size) {
        *ret_error = strdup("there are NUL characters in it");
        return *ret_error ? -EINVAL : -ENOMEM;
    }
    return command_file_parse(name, text, ret, ret_error);
}
