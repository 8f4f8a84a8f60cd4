/* SPDX-License-Identifier: Apache-2.0 */
/* The client side of the control socket (dcm-manager/control.h), for the command line. */
#pragma once

#include "proto/json.h"

/* Exit statuses of the command line, besides 0, 2 (wrong usage) and return codes of commands. */
enum {
    EXIT_SOME_FAILED = 1, /* of several agents */
    EXIT_SOME_SILENT = 2, /* some have not answered, and others may have failed */
    EXIT_USAGE = 2,
    EXIT_TIMED_OUT = 250,
    EXIT_REFUSED = 251,     /* by the agent: NACK */
    EXIT_NOT_RUNNING = 252, /* the manager does not run */
    EXIT_NOT_FOUND = 253,   /* no such agent or request */
    EXIT_OTHER = 254,
};

typedef struct Client Client;

/* `timeout_sec` limits all calls together; 0: no limit. The functions print errors on standard
 * error, and then return an exit status > 0. */
int client_new(const char *path, double timeout_sec, Client **ret);
Client *client_free(Client *c);
DEFINE_CLEANUP(Client *, client_free)

/* Makes a request without arguments; NULL without memory, which it reports. */
struct json_object *client_request(const char *method);
/* Takes ownership of the request, which may be NULL. */
int client_call(Client *c, struct json_object *request, struct json_object **ret);
/* Receives one more answer. */
int client_receive(Client *c, struct json_object **ret);
/* Waits for that time, or until the limit of all calls. */
int client_sleep(Client *c, uint64_t usec);
/* The caller handles a manager that disappears, and reports that itself if it cannot. */
void client_expect_loss(Client *c);
/* Whether the last failure was the loss of the manager. */
bool client_is_lost(const Client *c);
