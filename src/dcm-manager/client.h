/* SPDX-License-Identifier: Apache-2.0 */
/* The client's end of the control socket (dcm-manager/control.h), for the command line. */
#pragma once

#include "proto/json.h"

/* Exit statuses of the command line, besides 0, 2 (wrong use) and return codes of commands. */
enum {
    EXIT_USAGE = 2,
    EXIT_TIMED_OUT = 250,
    EXIT_REFUSED = 251,     /* by the agent: NACK */
    EXIT_NOT_RUNNING = 252, /* the manager is not */
    EXIT_NOT_FOUND = 253,   /* no such agent or request */
    EXIT_OTHER = 254,
};

typedef struct Client Client;

/* `timeout_sec` is for all that is done with it; 0: none. The functions explain what went wrong on
 * standard error and return an exit status > 0 then. */
int client_new(const char *path, double timeout_sec, Client **ret);
Client *client_free(Client *c);
DEFINE_CLEANUP(Client *, client_free)

/* A request without keys; NULL without memory, after saying so. */
struct json_object *client_request(const char *method);
/* Takes over the request; it may be NULL. */
int client_call(Client *c, struct json_object *request, struct json_object **ret);
/* One more answer. */
int client_receive(Client *c, struct json_object **ret);
/* The caller copes with a manager that goes away, and explains it where that fails. */
void client_expect_loss(Client *c);
/* Whether the last failure was that the manager went away. */
bool client_is_lost(const Client *c);
