/* SPDX-License-Identifier: Apache-2.0 */
/* One mistake makes the whole file void: a command that does something else than its author meant
 * is worse than none. The first mistake is told. */
#include "command/command-file.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <systemd/sd-bus.h>

#include "basic/bounds.h"
#include "basic/ini-file.h"
#include "basic/parse-util.h"
#include "basic/strv.h"
#include "command/trusted-file.h"
#include "proto/text.h"

#define ARGUMENT_SECTION "argument "

typedef struct Reader {
    CommandFile *file;
    SandboxSetting **last_setting;
    char *error;
    bool failed;
} Reader;

CommandFile *command_file_free(CommandFile *f) {
    if (!f)
        return NULL;
    for (size_t i = 0; i < f->n_limits; i++)
        job_limit_free(f->limits[i]);
    free(f->limits);
    free(f->arguments);
    sandbox_free(f->sandbox);
    strv_free(f->includes);
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

bool command_file_has_secret(const CommandFile *f) {
    for (size_t i = 0; i < f->n_arguments; i++)
        if (f->arguments[i].secret)
            return true;
    return false;
}

bool argument_is_file(const Argument *a) {
    return a->secret || a->type == ARGUMENT_BASE64;
}

/* All of them reach the bus, which takes no other text than UTF-8. */
static int keep(CommandFile *f, const char *text, const char **ret) {
    char **strings, *copy;

    if (!utf8_is_valid(text, strlen(text)))
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

/* Which of two words it is. */
static int parse_choice(const char *value, const char *no, const char *yes, bool *ret) {
    if (!streq(value, no) && !streq(value, yes))
        return -EINVAL;
    *ret = streq(value, yes);
    return 0;
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

/* Not one of the agent's own, whose files and rights would be the command's then. */
static int set_user(CommandFile *f, const char *value) {
    const size_t size = strlen(value);
    bool ok = size > 0 && size <= JOB_USER_NAME_MAX && !isdigit((unsigned char)value[0]) &&
              value[0] != '-' && strncmp(value, "dcm-", strlen("dcm-")) != 0;

    for (const char *p = value; *p && ok; p++)
        ok = isalnum((unsigned char)*p) || strchr("_-", *p);
    return ok ? keep(f, value, &f->user) : -EINVAL;
}

static int set_includes(CommandFile *f, const char *value) {
    int r;

    r = parse_words(value, &f->includes);
    for (size_t i = 0; r >= 0 && f->includes[i]; i++)
        if (!command_name_is_valid(f->includes[i]))
            return -EINVAL;
    return r;
}

static int set_command(CommandFile *f, const char *name, const char *value) {
    if (streq(name, "kind"))
        return parse_choice(value, "normal", "long", &f->is_long);
    if (streq(name, "help"))
        return keep(f, value, &f->help);
    if (streq(name, "script"))
        return set_script(f, value);
    if (streq(name, "worker"))
        return set_worker(f, value);
    if (streq(name, "worker_path"))
        return set_worker_path(f, value);
    if (streq(name, "includes"))
        return set_includes(f, value);
    if (streq(name, "user"))
        return set_user(f, value);
    if (streq(name, "input"))
        return parse_choice(value, "arguments", "json", &f->json_input);
    if (streq(name, "output"))
        return parse_choice(value, "text", "reply", &f->reply_output);
    return -EINVAL;
}

static int find_argument(CommandFile *f, const char *name, Argument **ret) {
    Argument *a;

    for (size_t i = 0; i < f->n_arguments; i++)
        if (streq(f->arguments[i].name, name)) {
            *ret = &f->arguments[i];
            return 0;
        }
    if (f->n_arguments >= COMMAND_ARGUMENTS_MAX || !command_name_is_valid(name))
        return -EINVAL;
    a = reallocarray(f->arguments, f->n_arguments + 1, sizeof(*a));
    if (!a)
        return -ENOMEM;
    f->arguments = a;
    *ret = &a[f->n_arguments++];
    **ret = (Argument){.help = ""};
    return keep(f, name, &(*ret)->name);
}

static int set_argument(CommandFile *f, const char *argument, const char *name, const char *value) {
    Argument *a;
    int r;

    r = find_argument(f, argument, &a);
    if (r < 0)
        return r;
    if (streq(name, "type")) {
        ArgumentType type = argument_type_from_string(value);

        if (type < 0)
            return -EINVAL;
        a->type = type;
        return 0;
    }
    if (streq(name, "mandatory"))
        return parse_bool(value, &a->mandatory);
    if (streq(name, "secret"))
        return parse_bool(value, &a->secret);
    if (streq(name, "default"))
        return keep(f, value, &a->fallback);
    if (streq(name, "help"))
        return keep(f, value, &a->help);
    return -EINVAL;
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

static int on_value(const char *file, const char *section, const char *name, const char *value,
                    void *userdata) {
    const size_t prefix = strlen(ARGUMENT_SECTION);
    Reader *r = userdata;

    if (streq(section, "command"))
        return set_command(r->file, name, value);
    if (streq(section, "limits"))
        return add_limit(r->file, name, value);
    if (streq(section, "sandbox"))
        return add_setting(r, name, value);
    if (strncmp(section, ARGUMENT_SECTION, prefix) == 0)
        return set_argument(r->file, section + prefix, name, value);
    return -EINVAL;
}

static int on_section(const char *file, const char *section, void *userdata) {
    const size_t prefix = strlen(ARGUMENT_SECTION);
    Reader *r = userdata;
    Argument *a;

    if (strncmp(section, ARGUMENT_SECTION, prefix) == 0)
        return find_argument(r->file, section + prefix, &a);
    return streq(section, "command") || streq(section, "limits") || streq(section, "sandbox")
               ? 0
               : -EINVAL;
}

static void on_problem(const char *file, const char *text, void *userdata) {
    Reader *r = userdata;

    if (!r->error)
        r->error = strdup(text);
    r->failed = true;
}

/* What is wrong with an argument's row, or NULL. */
static const char *check_argument(const CommandFile *f, size_t i) {
    const Argument *a = &f->arguments[i];

    if (a->fallback && (a->mandatory || a->secret || a->type == ARGUMENT_LIST))
        return "a mandatory or secret argument, or a list, has no default";
    if (a->type != ARGUMENT_LIST)
        return NULL;
    if (a->secret && !f->json_input)
        return "a secret list needs input = json";
    if (!f->json_input && i + 1 < f->n_arguments)
        return "of positional arguments only the last one can be a list";
    return NULL;
}

static_assert(COMMAND_SECRETS_MAX == 8, "check() says so");

/* Each of them is a descriptor in the message that starts the job. */
static bool has_too_many_files(const CommandFile *f) {
    unsigned n = 0;

    for (size_t i = 0; i < f->n_arguments && !f->json_input; i++)
        n += argument_is_file(&f->arguments[i]);
    return n > COMMAND_SECRETS_MAX;
}

static const char *check(const CommandFile *f) {
    const char *problem = NULL;

    if (!f->help)
        return "help is missing in [command]";
    if (f->worker && f->script)
        return "there is either a script or a worker";
    if (f->worker_path && !f->worker)
        return "worker_path is for a worker";
    if (has_too_many_files(f))
        return "more than 8 arguments that are secret or base64 need input = json";
    for (size_t i = 0; i < f->n_arguments && !problem; i++)
        problem = check_argument(f, i);
    return problem;
}

static int complete(CommandFile *f, const char *name) {
    int r;

    r = keep(f, name, &f->name);
    if (r >= 0 && !f->user)
        r = keep(f, JOB_USER, &f->user);
    if (r < 0)
        return r;
    if (f->worker) {
        f->json_input = f->reply_output = true;
        return f->worker_path ? 0 : keep(f, "/org/dcmagent/Worker1", &f->worker_path);
    }
    return f->script ? 0 : keep(f, name, &f->script);
}

int command_file_parse(const char *name, const char *text, CommandFile **ret, char **ret_error) {
    static const IniCallbacks callbacks = {
        .on_value = on_value, .on_section = on_section, .on_problem = on_problem};
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
    problem = check(f);
    if (problem && !reader.failed)
        on_problem(name, problem, &reader);
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
    int r;

    if (!command_name_is_valid(name))
        return -ENOENT;
    if (asprintf(&path, "%s/%s.conf", directory, name) < 0)
        return -ENOMEM;
    r = trusted_file_read(path, CONFIG_FILE_MAX, &text, &size, ret_error);
    if (r < 0)
        return r;
    if (size == 0)
        return -ERFKILL;
    if (strlen(text) != size) {
        *ret_error = strdup("there are NUL characters in it");
        return *ret_error ? -EINVAL : -ENOMEM;
    }
    return command_file_parse(name, text, ret, ret_error);
}

void command_file_get_limits(const CommandFile *f, JobLimits *ret) {
    job_limits_init(ret);
    ret->output_max = JOB_OUTPUT_MAX; /* the policy's, unless less is said here */
    for (size_t i = 0; i < f->n_limits; i++)
        job_limit_apply(f->limits[i], ret);
}
