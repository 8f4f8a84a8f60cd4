/* SPDX-License-Identifier: Apache-2.0 */
#include "commands/builtin.h"

#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "proto/message.h"
#include "system/proc.h"

#define LOAD_INTERVAL_USEC (100 * USEC_PER_MSEC)

typedef struct AgentDataRun {
    CommandRun run; /* must come first */
    CommandContext context;
    sd_event_source *timer;
    CpuTimes before;
} AgentDataRun;

static void agent_data_run_free(CommandRun *run) {
    AgentDataRun *a = (AgentDataRun *)run;

    sd_event_source_disable_unref(a->timer);
    free(a);
}

int builtin_heartbeat(const CommandContext *context, const ArgumentValue *values,
                      struct json_object **ret_reply, CommandRun **ret_run) {
    _cleanup_free_ char *initialized = NULL;

    TRY(store_get_meta(context->store, STORE_META_INITIALIZED, &initialized));
    return reply_new(0, "string", json_object_new_string(initialized ? "RUNNING" : "STARTING"),
                     NULL, NULL, ret_reply);
}

/* "Linux-6.1.0-18-amd64-x86_64": the form of Python's platform module */
static int platform_string(char *ret, size_t size) {
    struct utsname u;

    if (uname(&u) < 0)
        return -errno;
    (void)snprintf(ret, size, "%s-%s-%s", u.sysname, u.release, u.machine);
    return 0;
}

static int agent_data(const CpuTimes *before, struct json_object **ret) {
    _cleanup_json_ struct json_object *o = json_object_new_object();
    char platform[sizeof(struct utsname)];
    MemoryUse memory = {};
    CpuTimes after = {};
    unsigned processes = 0;

    if (!o)
        return -ENOMEM;
    TRY(cpu_times_read(&after));
    TRY(memory_use_read(&memory));
    TRY(process_count_read(&processes));
    TRY(platform_string(platform, sizeof(platform)));
    TRY(json_add_int(o, "cpu_count", sysconf(_SC_NPROCESSORS_ONLN)));
    TRY(json_add(o, "cpu_load", json_object_new_double(cpu_load_percent(before, &after))));
    TRY(json_add_int(o, "current_ram", (int64_t)memory.used_bytes));
    TRY(json_add_int(o, "max_ram", (int64_t)memory.total_bytes));
    TRY(json_add_int(o, "processes", processes));
    TRY(json_add_string(o, "platform", platform));
    TRY(json_add_string(o, "server_state", "OK"));
    return reply_new(0, "agent_data", TAKE_PTR(o), NULL, NULL, ret);
}

static int on_load_measured(sd_event_source *source, uint64_t usec, void *userdata) {
    AgentDataRun *a = userdata;
    struct json_object *reply = NULL;
    int r;

    r = agent_data(&a->before, &reply);
    a->context.done(r, reply, a->context.userdata);
    return 0;
}

int builtin_get_agent_data(const CommandContext *context, const ArgumentValue *values,
                           struct json_object **ret_reply, CommandRun **ret_run) {
    AgentDataRun *a = calloc(1, sizeof(*a));
    int r;

    if (!a)
        return -ENOMEM;
    a->run.free = agent_data_run_free;
    a->context = *context;
    r = cpu_times_read(&a->before);
    if (r >= 0)
        r = sd_event_add_time_relative(context->event, &a->timer, CLOCK_BOOTTIME,
                                       LOAD_INTERVAL_USEC, 1, on_load_measured, a);
    if (r < 0) {
        command_run_free(&a->run);
        return r;
    }
    *ret_run = &a->run;
    return 0;
}
