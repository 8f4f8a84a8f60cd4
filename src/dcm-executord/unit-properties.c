/* SPDX-License-Identifier: Apache-2.0 */
/* Everybody can read a unit's properties, so they contain no secrets.
 *
 * run_script may do anything that its author may do on this machine, so its unit has limits and no
 * sandbox. Settings that systemd implements by seccomp filters (LockPersonality=,
 * RestrictRealtime=, SystemCallFilter=, ...) look harmless, but together with User= they imply
 * NoNewPrivileges=, and a script that calls sudo would fail. PrivateTmp= stays off because scripts
 * exchange files through /tmp. */
#include "dcm-executord/unit-properties.h"

#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/log-fields.h"
#include "basic/log.h"
#include "basic/utf8.h"
#include "dcm-executord/sandbox-properties.h"
#include "site/feature.h"
#include "system/platform.h"

#define RUN_PROGRAM PKGLIBDIR "/dcm-run"
#define RUN_DIRECTORY "/run/dcm-job"
#define EXIT_STATUS_MAX 255
#define TIMEOUT_STOP_USEC (90 * USEC_PER_SEC)

typedef struct StringProperty {
    const char *name;
    const char *value;
} StringProperty;

static const StringProperty string_properties[] = {
    {"Slice", "dcm-jobs.slice"},     {"Type", "exec"},
    {"CollectMode", "inactive"}, /* a failed unit stays until its result has been read */
    {"WorkingDirectory", "-~"},  /* the user's home, or / if it does not exist */
    {"SyslogIdentifier", "dcm-job"},
};

/* systemd sets HOME, USER, LOGNAME and SHELL. */
static const char *const environment[] = {
    "DCM_USER=" JOB_USER, "DCM_BASEDIR=" PKGLIBDIR,
    "DCM_TMP_DIR=/tmp",   "DCM_LOG_FILE=" RUN_DIRECTORY "/log",
    "PATH=" JOB_PATH,     "LANG=C.UTF-8",
};

static int append_strings(sd_bus_message *m, const JobRequest *q) {
    char description[sizeof("Job of the agent manager: ") + COMMAND_NAME_MAX];

    (void)utf8_format(description, sizeof(description), "Job of the agent manager: %s",
                      q->command.name);
    TRY(sd_bus_message_append(m, "(sv)", "Description", "s", description));
    TRY(sd_bus_message_append(m, "(sv)", "Documentation", "as", 2, "man:dcm-run(8)",
                              "man:dcm-agent-commands(7)"));
    TRY(sd_bus_message_append(m, "(sv)", "User", "s", q->user));
    for (size_t i = 0; i < ELEMENTSOF(string_properties); i++)
        TRY(sd_bus_message_append(m, "(sv)", string_properties[i].name, "s",
                                  string_properties[i].value));
    return 0;
}

static int append_variable(sd_bus_message *m, const char *name, const char *value) {
    _cleanup_free_ char *text = NULL;

    return asprintf(&text, "%s=%s", name, value) < 0 ? -ENOMEM
                                                     : sd_bus_message_append(m, "s", text);
}

/* Whether to protect the job's secrets from other jobs of its user: append_guard(). */
static bool needs_guard(const JobRequest *q) {
    return q->command.file && command_file_has_secret(q->command.file) && !streq(q->user, "root");
}

static int append_environment(sd_bus_message *m, const JobRequest *q, const JobDir *d) {
    _cleanup_(platform_done) Platform platform = {};

    TRY(sd_bus_message_open_container(m, 'r', "sv"));
    TRY(sd_bus_message_append(m, "s", "Environment"));
    TRY(sd_bus_message_open_container(m, 'v', "as"));
    TRY(sd_bus_message_open_container(m, 'a', "s"));
    for (size_t i = 0; i < ELEMENTSOF(environment); i++)
        TRY(sd_bus_message_append(m, "s", environment[i]));
    TRY(append_variable(m, "DCM_REQUEST_ID", d->name));
    TRY(append_variable(m, "DCM_COMMAND", q->command.name));
    if (q->dry_run)
        TRY(append_variable(m, "DCM_DRY_RUN", "yes"));
    if (needs_guard(q)) /* Python would run code at its start that another job left in the home */
        TRY(append_variable(m, "PYTHONNOUSERSITE", "1"));
    if (platform_read(&platform) >= 0) {
        TRY(append_variable(m, "DCM_AGENT_PLATFORM_NAME", platform.name));
        TRY(append_variable(m, "DCM_AGENT_PLATFORM_VERSION", platform.version));
    }
    TRY(sd_bus_message_close_container(m));
    TRY(sd_bus_message_close_container(m));
    return sd_bus_message_close_container(m);
}

/* With a time to end in order, dcm-run alone gets the signal, and passes it on to the script. */
static int append_stop(sd_bus_message *m, const JobRequest *q) {
    const uint64_t finish_usec = job_request_finish_usec(q);

    TRY(sd_bus_message_append(m, "(sv)", "KillMode", "s",
                              finish_usec > 0 ? "mixed" : "control-group"));
    return sd_bus_message_append(m, "(sv)", "TimeoutStopUSec", "t",
                                 finish_usec > 0 ? finish_usec : TIMEOUT_STOP_USEC);
}

static int append_limits(sd_bus_message *m, const JobLimits *l) {
    TRY(sd_bus_message_append(m, "(sv)", "RemainAfterExit", "b", true));
    TRY(sd_bus_message_append(m, "(sv)", "RuntimeMaxUSec", "t", l->timeout_usec));
    TRY(sd_bus_message_append(m, "(sv)", "TasksMax", "t", l->tasks_max));
    if (l->memory_max != UINT64_MAX) {
        TRY(sd_bus_message_append(m, "(sv)", "MemoryMax", "t", l->memory_max));
        TRY(sd_bus_message_append(m, "(sv)", "MemorySwapMax", "t", (uint64_t)0));
    }
    if (l->cpu_weight > 0)
        TRY(sd_bus_message_append(m, "(sv)", "CPUWeight", "t", l->cpu_weight));
    if (l->io_weight > 0)
        TRY(sd_bus_message_append(m, "(sv)", "IOWeight", "t", l->io_weight));
    /* at shutdown the jobs end first, while the agent can still read their results */
    return sd_bus_message_append(m, "(sv)", "After", "as", 1, "dcm-agent.service");
}

/* The paths inside the job's mount namespace. */
static const char *const job_scripts[_JOB_SCRIPT_MAX] = {
    [JOB_SCRIPT_ITSELF] = RUN_DIRECTORY "/script",
    [JOB_SCRIPT_PRE] = RUN_DIRECTORY "/pre",
    [JOB_SCRIPT_POST] = RUN_DIRECTORY "/post",
};

static int append_script_path(sd_bus_message *m, const JobDir *d, const char *state_dir,
                              JobScriptKind kind) {
    const char *target = job_scripts[kind];
    _cleanup_free_ char *source = NULL;

    if (asprintf(&source, "%s/%s%s", state_dir, d->name, strrchr(target, '/')) < 0)
        return -ENOMEM;
    TRY(sd_bus_message_append(m, "(sv)", "BindReadOnlyPaths", "a(ssbt)", 1, source, target, false,
                              (uint64_t)0));
    return sd_bus_message_append(m, "(sv)", "ExecPaths", "as", 1, target);
}

/* The job's user cannot traverse the directories above the scripts, and /var may be mounted noexec:
 * bind mounts reach the files themselves. Files that the job must not access have no path
 * (basic/job-files.h). */
static int append_files(sd_bus_message *m, const JobDir *d, const char *state_dir) {
    _cleanup_free_ char *lines = NULL;
    const uint64_t no_flags = 0;

    if (asprintf(&lines, "%s/%s/log-pipe", state_dir, d->name) < 0)
        return -ENOMEM;
    for (JobScriptKind k = 0; k < _JOB_SCRIPT_MAX; k++)
        if (job_dir_has_script(d, k))
            TRY(append_script_path(m, d, state_dir, k));
    TRY(sd_bus_message_append(m, "(sv)", "BindPaths", "a(ssbt)", 1, lines, RUN_DIRECTORY "/log",
                              false, no_flags));
    TRY(sd_bus_message_append(m, "(sv)", "StandardOutputFileDescriptor", "h", d->out_fd));
    return sd_bus_message_append(m, "(sv)", "StandardErrorFileDescriptor", "h", d->err_fd);
}

static int append_credentials(sd_bus_message *m, const JobRequest *q, const JobDir *d) {
    TRY(sd_bus_message_open_container(m, 'r', "sv"));
    TRY(sd_bus_message_append(m, "s", "LoadCredential"));
    TRY(sd_bus_message_open_container(m, 'v', "a(ss)"));
    TRY(sd_bus_message_open_container(m, 'a', "(ss)"));
    for (size_t i = 0; i < q->n_secrets; i++) {
        _cleanup_free_ char *path = NULL;

        TRY(secret_get_path(d, q->secrets[i].name, &path));
        TRY(sd_bus_message_append(m, "(ss)", q->secrets[i].name, path));
    }
    TRY(sd_bus_message_close_container(m));
    TRY(sd_bus_message_close_container(m));
    return sd_bus_message_close_container(m);
}

/* A process that lacks a capability of another one can neither trace it, nor look into its mount
 * namespace, where its credentials are, nor take its standard input. This capability permits almost
 * nothing. systemd omits it silently if it does not have it itself: dcm-run checks that.
 *
 * Signals remain possible, and so is raising the limit of core dumps up to the hard limit: 1 allows
 * none, for files and for programs (core(5)) alike. */
static int append_guard(sd_bus_message *m) {
    TRY(sd_bus_message_append(m, "(sv)", "LimitCORE", "t", (uint64_t)1));
    return sd_bus_message_append(m, "(sv)", "AmbientCapabilities", "t",
                                 (uint64_t)1 << CAP_IPC_LOCK);
}

/* systemd kills all processes of a failed unit: if they may stay, it must not take any exit status
 * for a failure. */
static int append_success(sd_bus_message *m) {
    int statuses[EXIT_STATUS_MAX];

    for (int i = 0; i < EXIT_STATUS_MAX; i++)
        statuses[i] = i + 1;
    TRY(sd_bus_message_open_container(m, 'r', "sv"));
    TRY(sd_bus_message_append(m, "s", "SuccessExitStatus"));
    TRY(sd_bus_message_open_container(m, 'v', "(aiai)"));
    TRY(sd_bus_message_open_container(m, 'r', "aiai"));
    TRY(sd_bus_message_append_array(m, 'i', statuses, sizeof(statuses)));
    TRY(sd_bus_message_append(m, "ai", 0));
    TRY(sd_bus_message_close_container(m));
    TRY(sd_bus_message_close_container(m));
    return sd_bus_message_close_container(m);
}

static int append_input(sd_bus_message *m, const JobRequest *q, const JobDir *d) {
    _cleanup_close_ int socket_fd = -1;
    JobFiles files = d->files;

    if (q->n_secrets > 0)
        TRY(append_credentials(m, q, d));
    files.input_fd = q->input_fd;
    socket_fd = job_files_send(&files);
    if (socket_fd < 0)
        return socket_fd;
    return sd_bus_message_append(m, "(sv)", "StandardInputFileDescriptor", "h", socket_fd);
}

/* In ExecStart= systemd expands $NAME and turns $$ into $. (ExecStartEx= could disable that, but
 * systemd 252 cannot read its own notation for it on daemon-reload. Some characters in ExecStart=
 * cause warnings there too, but the unit stays.) */
static int append_argument(sd_bus_message *m, const char *prefix, const char *argument) {
    _cleanup_free_ char *escaped = NULL;
    char *p;

    escaped = malloc(strlen(prefix) + 2 * strlen(argument) + 1);
    if (!escaped)
        return -ENOMEM;
    p = stpcpy(escaped, prefix);
    for (const char *a = argument; *a; a++) {
        *p++ = *a;
        if (*a == '$')
            *p++ = '$';
    }
    *p = 0;
    return sd_bus_message_append(m, "s", escaped);
}

static int append_arguments(sd_bus_message *m, const JobRequest *q, const JobDir *d) {
    char timeout[48], output_max[48];

    TRY(sd_bus_message_open_container(m, 'a', "s"));
    (void)snprintf(timeout, sizeof(timeout), "--timeout-usec=%" PRIu64, q->limits.timeout_usec);
    (void)snprintf(output_max, sizeof(output_max), "--output-max=%" PRIu64, q->limits.output_max);
    TRY(sd_bus_message_append(m, "sss", "dcm-run", timeout, output_max));
    if (q->interpreter)
        TRY(append_argument(m, "--interpreter=", q->interpreter));
    if (needs_guard(q))
        TRY(sd_bus_message_append(m, "s", "--require-capability"));
    if (job_request_finish_usec(q) > 0)
        TRY(sd_bus_message_append(m, "s", "--pass-signal"));
    if (q->command.file && q->command.file->reboots && !q->dry_run)
        TRY(sd_bus_message_append(m, "s", "--note-boot"));
    if (job_dir_has_script(d, JOB_SCRIPT_PRE))
        TRY(sd_bus_message_append(m, "s", "--pre=" RUN_DIRECTORY "/pre"));
    if (job_dir_has_script(d, JOB_SCRIPT_POST))
        TRY(sd_bus_message_append(m, "s", "--post=" RUN_DIRECTORY "/post"));
    TRY(sd_bus_message_append(m, "ss", "--", RUN_DIRECTORY "/script"));
    for (char **a = q->arguments; a && *a; a++)
        TRY(append_argument(m, "", *a));
    return sd_bus_message_close_container(m);
}

static int append_command_line(sd_bus_message *m, const JobRequest *q, const JobDir *d) {
    TRY(sd_bus_message_open_container(m, 'r', "sv"));
    TRY(sd_bus_message_append(m, "s", "ExecStart"));
    TRY(sd_bus_message_open_container(m, 'v', "a(sasb)"));
    TRY(sd_bus_message_open_container(m, 'a', "(sasb)"));
    TRY(sd_bus_message_open_container(m, 'r', "sasb"));
    TRY(sd_bus_message_append(m, "s", RUN_PROGRAM));
    TRY(append_arguments(m, q, d));
    TRY(sd_bus_message_append(m, "b", false));
    TRY(sd_bus_message_close_container(m));
    TRY(sd_bus_message_close_container(m));
    TRY(sd_bus_message_close_container(m));
    return sd_bus_message_close_container(m);
}

static int append_log_field(sd_bus_message *m, LogField field) {
    _cleanup_free_ char *text = NULL;

    if (asprintf(&text, "%s=%s", field.name, field.value) < 0)
        return -ENOMEM;
    return sd_bus_message_append_array(m, 'y', text, strlen(text));
}

/* Journal entries by the job itself carry these fields. The directory's name is the GUID, unless
 * the GUID has characters that systemd 252 does not read back correctly. */
static int append_log_fields(sd_bus_message *m, const JobRequest *q, const JobDir *d) {
    TRY(sd_bus_message_open_container(m, 'r', "sv"));
    TRY(sd_bus_message_append(m, "s", "LogExtraFields"));
    TRY(sd_bus_message_open_container(m, 'v', "aay"));
    TRY(sd_bus_message_open_container(m, 'a', "ay"));
    TRY(append_log_field(m, (LogField)LOG_REQUEST(d->name)));
    TRY(append_log_field(m, (LogField)LOG_COMMAND(q->command.name)));
    TRY(sd_bus_message_close_container(m));
    TRY(sd_bus_message_close_container(m));
    return sd_bus_message_close_container(m);
}

int unit_append_properties(sd_bus_message *m, const JobRequest *q, const JobDir *dir,
                           const char *state_dir) {
    TRY(sd_bus_message_open_container(m, 'a', "(sv)"));
    TRY(append_strings(m, q));
    TRY(append_stop(m, q));
    TRY(append_limits(m, &q->limits));
    TRY(sandbox_append(m, q));
    TRY(append_environment(m, q, dir));
    TRY(append_files(m, dir, state_dir));
    TRY(append_input(m, q, dir));
    if (needs_guard(q))
        TRY(append_guard(m));
    if (q->keep_processes)
        TRY(append_success(m));
    TRY(append_command_line(m, q, dir));
    TRY(append_log_fields(m, q, dir));
    return sd_bus_message_close_container(m);
}
