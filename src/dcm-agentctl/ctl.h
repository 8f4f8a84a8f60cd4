/* SPDX-License-Identifier: Apache-2.0 */
/* Functions that the verbs of dcm-agentctl share. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/terminal.h"
#include "cli/listing.h"

#define AGENT_NAME "org.dcmagent.Agent1"
#define AGENT_PATH "/org/dcmagent/Agent1"
#define AGENT_INTERFACE AGENT_NAME ".Manager"

typedef struct Context {
    sd_bus *bus;
    Output output;
    bool refuse;
    bool follow;
    bool csv;
    bool of_program; /* an option of a verb that is a program, which parses it; here it is completed
                      */
} Context;

enum {
    EXIT_NOT_RUNNING = 3, /* the agent is not, or is not connected */
    EXIT_NOT_ALLOWED = 4,
};

/* Calls a method of the agent; says on standard error what failed and what to do. The signature is
 * of the arguments that follow. */
int ctl_call(const Context *c, const char *method, sd_bus_message **ret, const char *signature,
             ...);
/* All properties of the agent. */
int ctl_read_properties(const Context *c, sd_bus_error *error, struct json_object **ret);
#define CTL_TEXT_SIZE 1024

/* What failed in a call and what to do, with a line end. Returns as ctl_report(). */
int ctl_explain(const Context *c, const sd_bus_error *error, int r, char buf[static CTL_TEXT_SIZE]);
/* Reports the error of a call. Returns -EHOSTDOWN where the agent does not run, -EACCES where the
 * caller may not, else `r`. */
int ctl_report(const Context *c, const sd_bus_error *error, int r);
/* The exit status for a result of the above; 0 or more is one. */
int ctl_exit_status(int r);
/* An object with the n keys for the values of a tuple. NULL: no memory. */
struct json_object *ctl_name_values(struct json_object *tuple, const char *const keys[], size_t n);
/* Reads an array of structures from the answer: an array of objects, whose keys are the n given. */
int ctl_read_rows(sd_bus_message *m, const char *const keys[], size_t n, struct json_object **ret);
/* The GUID of the request that begins with `text`, which the caller frees; `text` itself, if there
 * is none. Reports errors; -ENOTUNIQ: several do. */
int ctl_find_guid(const Context *c, const char *text, char **ret);
/* "   Label: ", right-aligned. */
void ctl_print_label(const char *label, int width);
void ctl_print_field(const char *label, int width, const char *value);
/* For completion: the first string of each structure that a method of the agent lists. */
void ctl_print_first_values(const char *method);
/* Each signal of the list, which ends with 0, goes to the handler; a pipe that nobody reads is an
 * error of writing. */
int ctl_watch_signals(sd_event *event, const int *signals, sd_event_signal_handler_t handler,
                      void *userdata);
