/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-executord/request.h"

#include <inttypes.h>
#include <sys/stat.h>

#include "basic/fd-util.h"
#include "basic/strv.h"
#include "dcm-executord/errors.h"
#include "dcm-executord/options.h"

void job_request_done(JobRequest *q) {
    executor_command_done(&q->command);
    strv_free(q->arguments);
    policy_free(q->policy);
    for (size_t i = 0; i < ELEMENTSOF(q->own_fds); i++)
        q->own_fds[i] = safe_close(q->own_fds[i]);
}

static int check_arguments(char **arguments, sd_bus_error *error) {
    size_t size = 0, n = 0;

    for (char **a = arguments; a && *a; a++, n++)
        size += strlen(*a) + 1;
    if (n > JOB_ARGUMENTS_MAX || size > JOB_ARGUMENTS_SIZE_MAX)
        return sd_bus_error_setf(error, ERROR_INVALID_ARGUMENT,
                                 "Too many arguments: at most %u, of %zu bytes", JOB_ARGUMENTS_MAX,
                                 JOB_ARGUMENTS_SIZE_MAX);
    return 0;
}

/* Refuses pipes and other files that could block. */
static int check_file(int fd, const char *name, uint64_t size_max, uint64_t *ret_size,
                      sd_bus_error *error) {
    struct stat st;

    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return sd_bus_error_setf(error, ERROR_INVALID_ARGUMENT, "Option %s is not a regular file",
                                 name);
    if ((uint64_t)st.st_size > size_max)
        return sd_bus_error_setf(error, ERROR_INVALID_ARGUMENT,
                                 "Option %s has more than %" PRIu64 " bytes", name, size_max);
    *ret_size = (uint64_t)st.st_size;
    return 0;
}

static int check_files(JobRequest *q, sd_bus_error *error) {
    JobScript *script = &q->scripts.of[JOB_SCRIPT_ITSELF];
    uint64_t size, left = JOB_SECRETS_SIZE_MAX;
    int r = 0;

    if (script->fd >= 0)
        r = check_file(script->fd, "script", SCRIPT_SIZE_MAX, &script->size, error);
    if (r >= 0 && q->input_fd >= 0)
        r = check_file(q->input_fd, "input", JOB_INPUT_MAX, &size, error);
    for (size_t i = 0; i < q->n_secrets && r >= 0; i++) {
        r = check_file(q->secrets[i].fd, "secrets", left, &q->secrets[i].size, error);
        left -= r >= 0 ? q->secrets[i].size : 0;
    }
    return r;
}

/* Allows a program's name or path, and nothing that dcm-run or execvp() could interpret in another
 * way. */
static int check_interpreter(const char *s, sd_bus_error *error) {
    size_t size = s ? strlen(s) : 1;
    bool ok = size > 0 && size <= INTERPRETER_SIZE_MAX;

    for (const char *p = s; ok && p && *p; p++)
        ok = *p > ' ' && *p != 0x7f;
    if (!ok)
        return sd_bus_error_set(error, ERROR_INVALID_ARGUMENT,
                                "Option interpreter is not a program");
    return 0;
}

static bool has_secret(const JobRequest *q, const char *name) {
    for (size_t i = 0; i < q->n_secrets; i++)
        if (streq(q->secrets[i].name, name))
            return true;
    return false;
}

static int read_secrets(sd_bus_message *m, JobRequest *q, sd_bus_error *error) {
    const char *name;
    int fd, r;

    r = sd_bus_message_enter_container(m, 'v', "a{sh}");
    if (r >= 0)
        r = sd_bus_message_enter_container(m, 'a', "{sh}");
    while (r >= 0 && (r = sd_bus_message_read(m, "{sh}", &name, &fd)) > 0) {
        if (q->n_secrets >= ELEMENTSOF(q->secrets))
            return sd_bus_error_setf(error, ERROR_INVALID_ARGUMENT, "More than %u secrets",
                                     COMMAND_SECRETS_MAX);
        if (has_secret(q, name))
            return sd_bus_error_set(error, ERROR_INVALID_ARGUMENT, "Two secrets have one name");
        q->secrets[q->n_secrets++] = (Secret){.name = name, .fd = fd};
    }
    for (unsigned i = 0; i < 2 && r >= 0; i++)
        r = sd_bus_message_exit_container(m);
    return r;
}

static int read_option(sd_bus_message *m, const char *name, void *userdata, sd_bus_error *error) {
    JobRequest *q = userdata;
    int flag = false, r;

    if (streq(name, "script"))
        r = sd_bus_message_read(m, "v", "h", &q->scripts.of[JOB_SCRIPT_ITSELF].fd);
    else if (streq(name, "input"))
        r = sd_bus_message_read(m, "v", "h", &q->input_fd);
    else if (streq(name, "secrets"))
        r = read_secrets(m, q, error);
    else if (streq(name, "interpreter"))
        r = sd_bus_message_read(m, "v", "s", &q->interpreter);
    else if (streq(name, "timeout-usec"))
        r = sd_bus_message_read(m, "v", "t", &q->timeout_usec);
    else if (streq(name, "as-root")) {
        r = sd_bus_message_read(m, "v", "b", &flag);
        q->as_root = flag;
    } else if (streq(name, "keep-processes")) {
        r = sd_bus_message_read(m, "v", "b", &flag);
        q->keep_processes = flag;
    } else if (streq(name, "dry-run")) {
        r = sd_bus_message_read(m, "v", "b", &flag);
        q->dry_run = flag;
    } else
        return -ENOENT;
    return r;
}

int job_request_read(sd_bus_message *m, JobRequest *q, sd_bus_error *error) {
    TRY(sd_bus_message_read(m, "ss", &q->guid, &q->command_name));
    TRY(sd_bus_message_read_strv(m, &q->arguments));
    TRY(options_read(m, read_option, q, error));
    if (!guid_is_valid(q->guid))
        return sd_bus_error_set(error, ERROR_INVALID_ARGUMENT, "Not a GUID");
    TRY(check_arguments(q->arguments, error));
    TRY(check_interpreter(q->interpreter, error));
    return check_files(q, error);
}
