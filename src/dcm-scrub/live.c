/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-scrub/live.h"

#include <stdio.h>
#include <systemd/sd-bus.h>

#include "basic/terminal.h"
#include "unit/program.h"

#define JOB_UNITS "dcm-job-*.service"

static int call_systemctl(const char *verb, const char *first, const char *second) {
    _cleanup_(arguments_done) Arguments a = {};
    int status;

    arguments_add(&a, "systemctl");
    arguments_add(&a, "--quiet");
    arguments_add(&a, "%s", verb);
    arguments_add(&a, "%s", first);
    if (second)
        arguments_add(&a, "%s", second);
    status = program_call(&a);
    return status < 0 ? status : status > 0 ? -EIO : 0;
}

static bool is_own(const char *unit, const char *guid) {
    return guid && strncmp(unit, "dcm-job-", 8) == 0 &&
           strncmp(unit + 8, guid, strlen(guid)) == 0 && streq(unit + 8 + strlen(guid), ".service");
}

/* How many run. */
static int look_at(sd_bus_message *reply, const char *guid) {
    const char *unit;
    int n = 0, r;

    TRY(sd_bus_message_enter_container(reply, 'a', "(ssssssouso)"));
    while ((r = sd_bus_message_enter_container(reply, 'r', "ssssssouso")) > 0) {
        TRY(sd_bus_message_read(reply, "s", &unit));
        if (!is_own(unit, guid)) {
            terminal_printf(stderr, "A job runs: %s\n", unit);
            n++;
        }
        TRY(sd_bus_message_skip(reply, "sssssouso"));
        TRY(sd_bus_message_exit_container(reply));
    }
    return r < 0 ? r : n;
}

static int count_jobs(const char *guid) {
    sd_bus_error error = SD_BUS_ERROR_NULL;
    sd_bus_message *call = NULL, *reply = NULL;
    sd_bus *bus = NULL;
    int r = sd_bus_open_system(&bus);

    if (r >= 0)
        r = sd_bus_message_new_method_call(
            bus, &call, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
            "org.freedesktop.systemd1.Manager", "ListUnitsByPatterns");
    if (r >= 0)
        r = sd_bus_message_append(call, "asas", 4, "active", "activating", "deactivating",
                                  "reloading", 1, JOB_UNITS);
    if (r >= 0)
        r = sd_bus_call(bus, call, 0, &error, &reply);
    if (r >= 0)
        r = look_at(reply, guid);
    sd_bus_error_free(&error);
    sd_bus_message_unref(call);
    sd_bus_message_unref(reply);
    sd_bus_flush_close_unref(bus);
    return r;
}

int live_check_jobs(const char *guid) {
    const int n = count_jobs(guid);

    if (n < 0)
        terminal_printf(stderr,
                        "systemd cannot be asked whether jobs run: %s; nothing is removed\n",
                        strerror(-n));
    if (n > 0)
        (void)fputs("Nothing is removed while jobs run; see dcm-agentctl jobs\n", stderr);
    return n > 0 ? -EBUSY : n;
}

int live_stop_agent(void) {
    int r;

    /* the socket first: a connection to it would start the agent */
    (void)call_systemctl("stop", "dcm-agent.socket", NULL);
    TRY(call_systemctl("stop", "dcm-agent.service", "dcm-agent-executor.service"));
    r = live_check_jobs(NULL);
    if (r < 0)
        (void)call_systemctl("start", "dcm-agent.service", NULL);
    return r;
}

void live_stop_jobs(void) {
    (void)call_systemctl("stop", JOB_UNITS, "dcm-agent-executor.service");
}

void live_stop_journal(void) {
    _cleanup_(arguments_done) Arguments a = {};

    arguments_add(&a, "journalctl");
    arguments_add(&a, "--relinquish-var");
    (void)program_call(&a); /* what fails was told */
}

void live_stop_seed(void) {
    (void)call_systemctl("stop", "systemd-random-seed.service", NULL);
}
