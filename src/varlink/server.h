/* SPDX-License-Identifier: Apache-2.0 */
/* A Varlink server on a socket that systemd has opened: connections, framing, bounds. Anybody on
 * this machine may connect, and nobody can make it wait or grow. */
#pragma once

#include <systemd/sd-event.h>

#include "proto/varlink.h"

typedef struct VarlinkServer VarlinkServer;
typedef struct VarlinkConnection VarlinkConnection;

typedef struct VarlinkCallbacks {
    /* A call that wants an answer; others are dropped: who does not wait is not found out. It must
     * be answered once by varlink_answer() or varlink_fail(), in this call or later; the next one
     * of the connection is given after that. */
    void (*on_call)(VarlinkConnection *c, const VarlinkCall *call, void *userdata);
    /* The connection ends: nothing may be answered any more. */
    void (*on_gone)(VarlinkConnection *c, void *userdata);
} VarlinkCallbacks;

/* Takes over the listening socket. */
int varlink_server_new(sd_event *event, int listen_fd, const VarlinkCallbacks *callbacks,
                       void *userdata, VarlinkServer **ret);
VarlinkServer *varlink_server_free(VarlinkServer *s);
DEFINE_CLEANUP(VarlinkServer *, varlink_server_free)

/* Take over the parameters, which may be NULL. */
void varlink_answer(VarlinkConnection *c, struct json_object *parameters);
void varlink_fail(VarlinkConnection *c, const char *error, struct json_object *parameters);

/* The process that connected. *ret_pid_fd, which stays the connection's, is one as of
 * pidfd_open(2); a negative errno if it had ended when the connection was taken. */
pid_t varlink_connection_get_peer(const VarlinkConnection *c, int *ret_pid_fd);
/* The caller's own. */
void *varlink_connection_get_data(const VarlinkConnection *c) _pure_;
void varlink_connection_set_data(VarlinkConnection *c, void *data);
