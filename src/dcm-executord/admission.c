/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-executord/admission.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "basic/log-fields.h"
#include "basic/log.h"
#include "basic/strv.h"
#include "dcm-executord/errors.h"
#include "proto/text.h"
#include "site/trusted-file.h"
#include "system/local-user.h"

#define POLICY_FILE CONFDIR "/policy.conf"
#define POLICY_DIRECTORY CONFDIR "/policy.conf.d"
#define WORKER_PROGRAM PKGLIBDIR "/dcm-call-worker"
#define CREDENTIALS_DIRECTORY "/run/credentials"

static_assert(COMMAND_INCLUDES_MAX == 64, "check_includes() says so");

/* Replaces text that D-Bus does not accept, as the text may quote a file: the bus would not send
 * the error at all. */
static int refuse(const JobRequest *q, sd_bus_error *error, const char *why) {
    _cleanup_free_ char *text = NULL;

    TRY(bus_text_new(why, &text));
    (void)log_struct(LOG_WARNING, 0,
                     LOG_FIELDS(LOG_ID(DCM_MESSAGE_POLICY_REFUSED), LOG_REQUEST(q->guid),
                                LOG_COMMAND(q->command.name)),
                     "Refused %s: %s", q->guid, text);
    return sd_bus_error_set(error, ERROR_REFUSED, text);
}

static int check_order(JobRequest *q, const PolicyOrder *order, sd_bus_error *error) {
    bool is_part = order->command != q->command.name;
    char why[ERROR_MESSAGE_MAX];
    const char *rule;

    if (policy_allows(q->policy, order, &rule))
        return 0;
    (void)utf8_format(why, sizeof(why), "the policy of this machine forbids %s%s%s (%s in %s)",
                      is_part ? order->command : "it", is_part ? ", which is a part of " : "",
                      is_part ? q->command.name : "", rule,
                      strempty(policy_get_place(q->policy, rule)));
    return refuse(q, error, why);
}

static int check_includes(JobRequest *q, const CommandFile *f, unsigned depth, sd_bus_error *error);

/* A command that is forbidden or masked is also forbidden as a part of another command. */
static int check_included(JobRequest *q, const char *name, unsigned depth, sd_bus_error *error) {
    _cleanup_free_ char *problem = NULL;
    char why[ERROR_MESSAGE_MAX];
    ExecutorCommand c = {};
    int r;

    r = registry_find(name, &c, &problem);
    if (r == -ENOENT || r == -EINVAL) {
        (void)utf8_format(why, sizeof(why), "%s, which is a part of %s, cannot be used: %s", name,
                          q->command.name, problem ?: "there is no such command");
        return refuse(q, error, why);
    }
    if (r < 0)
        return r;
    r = check_order(q,
                    &(const PolicyOrder){
                        .command = name,
                        .user = c.file ? c.file->user : JOB_USER,
                        .brings_script = c.brings_script,
                    },
                    error);
    if (r >= 0)
        r = check_includes(q, c.file, depth + 1, error);
    executor_command_done(&c);
    return r;
}

static int check_includes(JobRequest *q, const CommandFile *f, unsigned depth,
                          sd_bus_error *error) {
    int r = 0;

    if (!f || !f->includes)
        return 0;
    if (depth >= COMMAND_INCLUDES_DEPTH_MAX)
        return refuse(q, error,
                      "commands include each other more than 4 levels deep, or in a cycle");
    for (char *const *name = f->includes; *name && r >= 0; name++)
        r = ++q->n_included > COMMAND_INCLUDES_MAX
                ? refuse(q, error, "commands include more than 64 others")
                : check_included(q, *name, depth, error);
    return r;
}

/* Read for each job, so that a change applies at once. */
static int check_policy(JobRequest *q, sd_bus_error *error) {
    const PolicyOrder order = {
        .command = q->command.name,
        .user = q->user,
        .brings_script = q->command.brings_script,
    };
    _cleanup_free_ char *problem = NULL;
    char why[ERROR_MESSAGE_MAX];
    JobLimits own;
    int r;

    r = policy_load(POLICY_FILE, POLICY_DIRECTORY, &q->policy, &problem);
    if (r == -EINVAL) {
        (void)utf8_format(why, sizeof(why),
                          "the policy of this machine is not valid, so it denies everything: %s",
                          problem);
        return refuse(q, error, why);
    }
    if (r >= 0)
        r = check_order(q, &order, error);
    if (r >= 0)
        r = check_includes(q, q->command.file, 0, error);
    if (r < 0)
        return r;
    policy_get_limits(q->policy, order.command, &q->limits);
    if (q->command.file) {
        command_file_get_limits(q->command.file, &own);
        job_limits_tighten(&q->limits, &own);
    }
    if (q->timeout_usec > 0)
        q->limits.timeout_usec = MIN(q->limits.timeout_usec, q->timeout_usec);
    return 0;
}

/* Refuses options that this kind of command does not take. */
static int check_options(const JobRequest *q, sd_bus_error *error) {
    const bool has_script = q->scripts.of[JOB_SCRIPT_ITSELF].fd >= 0;
    const CommandFile *f = q->command.file;
    const char *wrong = NULL;

    /* the directory may have the downloaded script already */
    if (q->command.brings_script && !q->command.fetches && !has_script)
        return sd_bus_error_set(error, ERROR_INVALID_ARGUMENT, "Option script is missing");
    if (!q->command.brings_script && (has_script || q->interpreter || q->as_root))
        wrong = "script, interpreter or as-root";
    else if (q->input_fd >= 0 && !(f && f->json_input))
        wrong = "input";
    else if (q->n_secrets > 0 && (!f || (f->json_input && !f->secret_files)))
        wrong = "secrets";
    else if (q->dry_run && !(f && f->can_dry_run))
        wrong = "dry-run";
    return wrong ? sd_bus_error_setf(error, ERROR_INVALID_ARGUMENT,
                                     "The command does not take an option %s", wrong)
                 : 0;
}

/* Takes ownership of the descriptor. An empty file counts as none. For scripts that were checked
 * before. */
static int take_script(JobRequest *q, JobScriptKind kind, int fd, sd_bus_error *error) {
    struct stat st;

    q->own_fds[kind] = fd;
    if (fstat(fd, &st) < 0)
        return -errno;
    if ((uint64_t)st.st_size > SCRIPT_SIZE_MAX)
        return refuse(q, error, "the script is too large");
    if (st.st_size > 0)
        q->scripts.of[kind] = (JobScript){.fd = fd, .size = (uint64_t)st.st_size};
    return 0;
}

/* A package's file describes its own script, not one of the site that replaces it. */
static int check_dry_run(const JobRequest *q, const char *path, sd_bus_error *error) {
    const char *directory = script_directories[0];
    char why[ERROR_MESSAGE_MAX];

    if (!q->dry_run || !q->command.is_shipped || q->command.file->script[0] == '/' ||
        strncmp(path, directory, strlen(directory)) != 0)
        return 0;
    (void)utf8_format(
        why, sizeof(why),
        "%s replaces the script of %s and may not support dry_run; with dry_run = yes "
        "in a file %s/%s.conf it does",
        path, q->command.name, COMMANDS_DIRECTORY, q->command.name);
    return refuse(q, error, why);
}

/* Opens the current script; the unit runs a copy of it. */
static int open_script(JobRequest *q, sd_bus_error *error) {
    const CommandFile *f = q->command.file;
    _cleanup_free_ char *path = NULL, *problem = NULL;
    char why[ERROR_MESSAGE_MAX];
    int fd, r;

    r = script_open(script_directories, f->worker ? WORKER_PROGRAM : f->script, &path, &fd,
                    &problem);
    if (r == -ENOENT || r == -EINVAL) {
        if (r == -ENOENT && !f->worker && f->script[0] != '/')
            (void)utf8_format(why, sizeof(why),
                              "the script of %s cannot be used: there is none of the name %s in "
                              "%s, nor in %s",
                              f->name, f->script, script_directories[0], script_directories[1]);
        else
            (void)utf8_format(why, sizeof(why), "the script of %s cannot be used: %s", f->name,
                              problem ?: "there is none");
        return refuse(q, error, why);
    }
    if (r < 0)
        return r;
    TRY(take_script(q, JOB_SCRIPT_ITSELF, fd, error));
    return f->worker ? 0 : check_dry_run(q, path, error);
}

/* Opens the site's script to run before or after a script of that name. In a dry run there is none:
 * it would not know. */
static int open_hook(JobRequest *q, const char *suffix, JobScriptKind kind, sd_bus_error *error) {
    const CommandFile *f = q->command.file;
    _cleanup_free_ char *path = NULL, *problem = NULL;
    char why[ERROR_MESSAGE_MAX];
    int fd, r;

    if (f->worker || f->script[0] == '/' || q->dry_run)
        return 0;
    if (asprintf(&path, "%s/%s%s", script_directories[0], f->script, suffix) < 0)
        return -ENOMEM;
    r = trusted_file_open(path, &fd, &problem);
    if (r == -ENOENT || r == -ERFKILL)
        return 0;
    if (r == -EINVAL) {
        (void)utf8_format(why, sizeof(why), "%s cannot be used: %s", path, problem);
        return refuse(q, error, why);
    }
    return r < 0 ? r : take_script(q, kind, fd, error);
}

static const Secret *find_secret(const JobRequest *q, const char *name) {
    for (size_t i = 0; i < q->n_secrets; i++)
        if (streq(q->secrets[i].name, name))
            return &q->secrets[i];
    return NULL;
}

/* Sets the path at which the job finds the file. */
static int put_path(const JobRequest *q, const char *name, char **position) {
    char unit[JOB_UNIT_SIZE], *path;

    guid_to_unit_name(q->guid, unit);
    if (asprintf(&path, CREDENTIALS_DIRECTORY "/%s/%s", unit, name) < 0)
        return -ENOMEM;
    free(*position);
    *position = path;
    return 0;
}

static bool is_known_secret(const CommandFile *f, const char *name) {
    for (size_t i = 0; i < f->n_arguments; i++)
        if (streq(f->arguments[i].name, name))
            return command_file_is_apart(f, &f->arguments[i]);
    return false;
}

static int place_secrets(JobRequest *q, sd_bus_error *error) {
    const CommandFile *f = q->command.file;

    for (size_t i = 0; i < q->n_secrets; i++)
        if (!is_known_secret(f, q->secrets[i].name))
            return sd_bus_error_set(error, ERROR_INVALID_ARGUMENT,
                                    "There is a secret for which the command has no argument");
    for (size_t i = 0; q->arguments && q->arguments[i]; i++) {
        const Argument *a = command_file_argument_at(f, i);

        if (!a || !command_file_is_apart(f, a) || !find_secret(q, a->name))
            continue;
        TRY(put_path(q, a->name, &q->arguments[i]));
    }
    return 0;
}

/* Prepends the arguments of the program that calls the worker. */
static int make_worker_arguments(JobRequest *q) {
    const CommandFile *f = q->command.file;
    const char *const texts[] = {f->worker, f->worker_path, q->guid, f->name};
    char **list = calloc(ELEMENTSOF(texts) + 1, sizeof(char *));

    strv_free(q->arguments);
    q->arguments = list;
    for (size_t i = 0; list && i < ELEMENTSOF(texts); i++) {
        list[i] = strdup(texts[i]);
        if (!list[i])
            return -ENOMEM;
    }
    return list ? 0 : -ENOMEM;
}

/* Checks in advance what systemd would refuse, to explain it. Reads only /etc/passwd: a directory
 * service could block the executor, and has no system users. */
static int check_user(const JobRequest *q, sd_bus_error *error) {
    char why[ERROR_MESSAGE_MAX];
    uid_t uid;
    int r;

    if (streq(q->user, "root") || streq(q->user, JOB_USER))
        return 0;
    r = local_user_find(q->user, &uid);
    if (r < 0 && r != -ENOENT)
        return r;
    if (r >= 0 && uid != 0)
        return 0;
    (void)utf8_format(
        why, sizeof(why), "the user %s, as whom %s runs, %s", q->user, q->command.name,
        r == -ENOENT ? "is not in /etc/passwd"
                     : "has uid 0 like root; only a file with user = root may run as root");
    return refuse(q, error, why);
}

static int admit_file(JobRequest *q, sd_bus_error *error) {
    TRY(check_user(q, error));
    TRY(open_script(q, error));
    TRY(open_hook(q, ".pre", JOB_SCRIPT_PRE, error));
    TRY(open_hook(q, ".post", JOB_SCRIPT_POST, error));
    return q->command.file->worker ? make_worker_arguments(q) : place_secrets(q, error);
}

static int find_command(JobRequest *q, sd_bus_error *error) {
    _cleanup_free_ char *problem = NULL;
    char why[ERROR_MESSAGE_MAX];
    int r;

    r = registry_find(q->command_name, &q->command, &problem);
    if (r == -ENOENT)
        return sd_bus_error_set(error, ERROR_UNKNOWN_COMMAND, "No such command");
    if (r != -EINVAL) {
        q->user = q->command.file ? q->command.file->user : q->as_root ? "root" : JOB_USER;
        return r;
    }
    q->command.name = q->command_name;
    (void)utf8_format(why, sizeof(why), "the definition of %.*s cannot be used: %s",
                      UTF8_SHORT(q->command_name, COMMAND_FILE_NAME_MAX), problem);
    return refuse(q, error, why);
}

int admit(JobRequest *q, sd_bus_error *error) {
    int r;

    TRY(find_command(q, error));
    r = check_options(q, error);
    if (r >= 0 && q->command.file)
        r = admit_file(q, error);
    return r < 0 ? r : check_policy(q, error);
}

int admit_fetch(JobRequest *q, bool network, sd_bus_error *error) {
    char why[ERROR_MESSAGE_MAX];
    const char *place;
    int r;

    TRY(find_command(q, error));
    if (!q->command.fetches)
        return sd_bus_error_set(error, ERROR_UNKNOWN_COMMAND, "No command that downloads");
    r = check_policy(q, error);
    if (r < 0 || !network || q->limits.network)
        return r;
    place = policy_get_limit_place(q->policy, q->command.name, "network");
    (void)utf8_format(why, sizeof(why),
                      "the policy of this machine forbids downloads (network in %s)",
                      strempty(place));
    return refuse(q, error, why);
}
