/* SPDX-License-Identifier: Apache-2.0 */
#include "commands/command-table.h"

#include "basic/bounds.h"
#include "commands/builtin-output.h"
#include "commands/builtin.h"
#include "commands/job-description.h"
#include "commands/server-commands.h"
#include "commands/stat-commands.h"
#include "job/fetch.h"
#include "job/script-source.h"

#define CONNECT_TIMEOUT_SEC_DEFAULT 30

enum {
    RUN_SCRIPT_B64SCRIPT,
    RUN_SCRIPT_CHECKSUM,
    RUN_SCRIPT_INPYTHON,
    RUN_SCRIPT_RUN_UNDER_SUDO,
    RUN_SCRIPT_COMPRESSION,
    RUN_SCRIPT_ARGUMENTS,
    RUN_SCRIPT_TIMEOUT,
    RUN_SCRIPT_STREAM,
};

static const Argument run_script_arguments[] = {
    [RUN_SCRIPT_B64SCRIPT] = {"b64script", ARGUMENT_BASE64, true,
                              .help = "the script, perhaps compressed"},
    [RUN_SCRIPT_CHECKSUM] = {"checksum", ARGUMENT_STRING, true,
                             .help = "SHA-256 of the decompressed script, in hex"},
    [RUN_SCRIPT_INPYTHON] = {"inpython", ARGUMENT_BOOL, false, .help = "run it by python3"},
    [RUN_SCRIPT_RUN_UNDER_SUDO] = {"runUnderSudo", ARGUMENT_BOOL, false,
                                   .help = "run it as root instead of user dcm"},
    [RUN_SCRIPT_COMPRESSION] = {"compression", ARGUMENT_STRING, false,
                                .help = "'gzip': a zlib or gzip stream"},
    [RUN_SCRIPT_ARGUMENTS] = {"arguments", ARGUMENT_LIST, false,
                              .help = "positional arguments; not secret"},
    [RUN_SCRIPT_TIMEOUT] = {"timeout", ARGUMENT_INTEGER, false,
                            .help = "seconds after which it is ended"},
    [RUN_SCRIPT_STREAM] = {"stream", ARGUMENT_BOOL, false,
                           .help = "send lines of its output to the console as they come"},
};

/* Takes 0, and values beyond the range of the clock, for no limit by the request. */
static int read_timeout(const ArgumentValue *value, uint64_t *ret_usec, char **ret_error) {
    if (value->integer < 0) {
        *ret_error = strdup("The argument 'timeout' is not a number of seconds");
        return *ret_error ? -EINVAL : -ENOMEM;
    }
    *ret_usec = (uint64_t)value->integer > UINT64_MAX / USEC_PER_SEC
                    ? 0
                    : (uint64_t)value->integer * USEC_PER_SEC;
    return 0;
}

static int run_script_prepare(const Command *c, const CommandContext *context,
                              const ArgumentValue *values, JobSpec *ret, char **ret_error) {
    const ArgumentValue *script = &values[RUN_SCRIPT_B64SCRIPT];
    uint64_t timeout_usec;
    int fd = -1, r;

    TRY(read_timeout(&values[RUN_SCRIPT_TIMEOUT], &timeout_usec, ret_error));
    r = script_source_open(script->string, script->size, values[RUN_SCRIPT_COMPRESSION].string,
                           values[RUN_SCRIPT_CHECKSUM].string, &fd);
    if (r < 0 && script_source_strerror(r)) {
        *ret_error = strdup(script_source_strerror(r));
        return *ret_error ? -EINVAL : -ENOMEM;
    }
    if (r < 0)
        return r;
    *ret = (JobSpec){
        .command = c->name,
        .arguments = values[RUN_SCRIPT_ARGUMENTS].list,
        .script_fd = fd,
        .input_fd = -1,
        .as_root = values[RUN_SCRIPT_RUN_UNDER_SUDO].boolean,
        .interpreter = values[RUN_SCRIPT_INPYTHON].boolean ? "python3" : NULL,
        .timeout_usec = timeout_usec,
        .stream = values[RUN_SCRIPT_STREAM].boolean,
    };
    return 0;
}

enum {
    FETCH_RUN_URL,
    FETCH_RUN_CONNECT_TIMEOUT,
    FETCH_RUN_CHECKSUM,
    FETCH_RUN_INPYTHON,
    FETCH_RUN_RUN_UNDER_SUDO,
    FETCH_RUN_ARGUMENTS,
    FETCH_RUN_SSL_CERT,
    FETCH_RUN_TIMEOUT,
    FETCH_RUN_STREAM,
};

static const Argument fetch_run_arguments[] = {
    [FETCH_RUN_URL] = {"url", ARGUMENT_STRING, true,
                       .help = "where the script is: http, https or file"},
    [FETCH_RUN_CONNECT_TIMEOUT] = {"connect_timeout", ARGUMENT_INTEGER, false,
                                   .help = "seconds for a connection, and for a silent source; 30"},
    [FETCH_RUN_CHECKSUM] = {"checksum", ARGUMENT_STRING, false,
                            .help = "SHA-256 of the script, in hex; http and https must have it"},
    [FETCH_RUN_INPYTHON] = {"inpython", ARGUMENT_BOOL, false, .help = "run it by python3"},
    [FETCH_RUN_RUN_UNDER_SUDO] = {"runUnderSudo", ARGUMENT_BOOL, false,
                                  .help = "run it as root instead of user dcm"},
    [FETCH_RUN_ARGUMENTS] = {"arguments", ARGUMENT_LIST, false,
                             .help = "positional arguments; not secret"},
    [FETCH_RUN_SSL_CERT] = {"ssl_cert", ARGUMENT_STRING, false,
                            .help = "PEM: the only certificates that are trusted"},
    [FETCH_RUN_TIMEOUT] = {"timeout", ARGUMENT_INTEGER, false,
                           .help = "seconds after which it is ended"},
    [FETCH_RUN_STREAM] = {"stream", ARGUMENT_BOOL, false,
                          .help = "send lines of its output to the console as they come"},
};

static int read_patience(const ArgumentValue *value, uint64_t *ret_usec, char **ret_error) {
    uint64_t sec = value->is_set ? (uint64_t)value->integer : CONNECT_TIMEOUT_SEC_DEFAULT;

    if (value->is_set && value->integer <= 0) {
        *ret_error = strdup("The argument 'connect_timeout' is not a number of seconds");
        return *ret_error ? -EINVAL : -ENOMEM;
    }
    *ret_usec = MIN(sec, FETCH_TIME_USEC_MAX / USEC_PER_SEC) * USEC_PER_SEC;
    return 0;
}

static int fetch_run_prepare(const Command *c, const CommandContext *context,
                             const ArgumentValue *values, JobSpec *ret, char **ret_error) {
    JobSpec spec = {
        .command = c->name,
        .arguments = values[FETCH_RUN_ARGUMENTS].list,
        .script_fd = -1,
        .input_fd = -1,
        .source = {.url = values[FETCH_RUN_URL].string,
                   .checksum = values[FETCH_RUN_CHECKSUM].string,
                   .certificate = values[FETCH_RUN_SSL_CERT].string},
        .as_root = values[FETCH_RUN_RUN_UNDER_SUDO].boolean,
        .interpreter = values[FETCH_RUN_INPYTHON].boolean ? "python3" : NULL,
        .stream = values[FETCH_RUN_STREAM].boolean,
    };
    int r;

    r = read_timeout(&values[FETCH_RUN_TIMEOUT], &spec.timeout_usec, ret_error);
    if (r >= 0)
        r = read_patience(&values[FETCH_RUN_CONNECT_TIMEOUT], &spec.source.patience_usec,
                          ret_error);
    if (r >= 0)
        r = fetch_source_check(&spec.source, ret_error);
    if (r >= 0)
        *ret = spec;
    return r;
}

static const Argument get_job_output_arguments[] = {
    [GET_JOB_OUTPUT_GUID] = {"guid", ARGUMENT_STRING, true,
                             .help = "request_id of the script's request"},
    [GET_JOB_OUTPUT_STREAM] = {"stream", ARGUMENT_STRING, false,
                               .help = "stdout (the default) or stderr"},
    [GET_JOB_OUTPUT_OFFSET] = {"offset", ARGUMENT_INTEGER, false,
                               .help = "first byte that is wanted"},
    [GET_JOB_OUTPUT_LENGTH] = {"length", ARGUMENT_INTEGER, false,
                               .help = "bytes, at most and by default 1 MiB"},
};

static const Argument init_system_stat_arguments[] = {
    [INIT_SYSTEM_STAT_TYPE] = {"statType", ARGUMENT_STRING, true, .help = "what is sampled"},
    [INIT_SYSTEM_STAT_NAME] = {"statName", ARGUMENT_STRING, true, .help = "name of its own"},
    [INIT_SYSTEM_STAT_HOLD_COUNT] = {"holdCount", ARGUMENT_INTEGER, true,
                                     .help = "samples that are kept, the newest"},
    [INIT_SYSTEM_STAT_CHECK_INTERVAL] = {"checkInterval", ARGUMENT_NUMBER, true,
                                         .help = "seconds between two samples"},
};

static const Argument get_system_stat_arguments[] = {
    [SYSTEM_STAT_NAME] = {"statName", ARGUMENT_STRING, true, .help = "its name"},
};

static const Argument delete_system_stat_arguments[] = {
    [SYSTEM_STAT_NAME] = {"statName", ARGUMENT_STRING, true, .help = "its name"},
};

static const Argument get_job_description_arguments[] = {
    {"jobId", ARGUMENT_INTEGER, true, .help = "its number"},
};

static int get_job_description_run(const CommandContext *context, const ArgumentValue *values,
                                   struct json_object **ret_reply, CommandRun **ret_run) {
    return job_describe(context->store, values[0].integer, ret_reply);
}

#define ARGUMENTS(table) .arguments = (table), .n_arguments = ELEMENTSOF(table)

static const Command commands[] = {
    {
        .name = "delete_system_stat",
        .summary = "Ends a statistic",
        ARGUMENTS(delete_system_stat_arguments),
        .run = delete_system_stat_run,
        .done = delete_system_stat_done,
    },
    {
        .name = "fetch_run",
        .summary = "Downloads a script and runs it",
        ARGUMENTS(fetch_run_arguments),
        .prepare = fetch_run_prepare,
    },
    {
        .name = "get_agent_data",
        .summary = "Processors, memory and load of this server",
        .run = builtin_get_agent_data,
    },
    {
        .name = "get_job_description",
        .kind = COMMAND_IMMEDIATE,
        .summary = "Status of a long runner's job, and its reply once it has ended",
        ARGUMENTS(get_job_description_arguments),
        .run = get_job_description_run,
    },
    {
        .name = "get_job_output",
        .kind = COMMAND_IMMEDIATE,
        .summary = "What a script has written, piece by piece, also while it runs",
        ARGUMENTS(get_job_output_arguments),
        .run = builtin_get_job_output,
    },
    {
        .name = "get_private_ip_address",
        .kind = COMMAND_IMMEDIATE,
        .summary = "The first private address of this server, else its first one",
        .run = get_private_ip_address_run,
    },
    {
        .name = "get_system_stat",
        .summary = "The samples of a statistic",
        ARGUMENTS(get_system_stat_arguments),
        .run = get_system_stat_run,
    },
    {
        .name = "heartbeat",
        .kind = COMMAND_IMMEDIATE,
        .summary = "Whether this server is initialized; STARTING until it is",
        .run = builtin_heartbeat,
    },
    {
        .name = "init_system_stat",
        .summary = "Starts a statistic: samples of one type at an interval",
        ARGUMENTS(init_system_stat_arguments),
        .run = init_system_stat_run,
        .done = init_system_stat_done,
    },
    {
        .name = "run_script",
        .summary = "Runs a script that comes with the request",
        ARGUMENTS(run_script_arguments),
        .prepare = run_script_prepare,
    },
    {
        .name = "upgrade",
        .summary = "Downloads a script that installs another version, and runs it as root",
        ARGUMENTS(upgrade_arguments),
        .prepare = upgrade_prepare,
    },
};

const Command *command_table(size_t *ret_n) {
    *ret_n = ELEMENTSOF(commands);
    return commands;
}
