/* SPDX-License-Identifier: Apache-2.0 */
/* Functions that the verbs of dcm-agentctl share. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/terminal.h"
#include "proto/json.h"

#define AGENT_NAME "org.dcmagent.Agent1"
#define AGENT_PATH "/org/dcmagent/Agent1"
#define AGENT_INTERFACE AGENT_NAME ".Manager"

typedef struct Context {
    sd_bus *bus;
    bool json;
    uint32_t limit; /* 0: the greatest possible */
    bool refuse;
    bool follow;
    bool csv;
} Context;

/* Calls a method of the agent; prints failures with a remedy on standard error. `signature`
 * describes the arguments that follow. */
int ctl_call(const Context *c, const char *method, sd_bus_message **ret, const char *signature,
             ...);
int ctl_report(const sd_bus_error *error, int r);
/* "   Label: ", right-aligned. */
void ctl_print_label(const char *label, int width);
void ctl_print_field(const char *label, int width, const char *value);
void ctl_print_json(struct json_object *o);
/* "Sun 2026-11-22 20:01:38 UTC", or "-" for 0 */
const char *ctl_format_time(uint64_t usec, char *buf, size_t size);
/* Installs a handler for each signal of the list, which ends with 0. SIGPIPE is ignored: a pipe
 * without a reader becomes a write error. */
int ctl_watch_signals(sd_event *event, const int *signals, sd_event_signal_handler_t handler,
                      void *userdata);
