/* SPDX-License-Identifier: Apache-2.0 */
/* A Varlink server on a socket that systemd has opened: connections, framing, bounds. Anybody on
 * this machine may connect; no client can block it, or make it grow without limit. */
#pragma once

#include <systemd/sd-event.h>

#include "proto/varlink.h"

typedef struct VarlinkServer VarlinkServer;
typedef struct VarlinkConnection VarlinkConnection;

typedef struct VarlinkCallbacks {
    /* A call that wants an answer; oneway calls are dropped, because a client that does not wait
     * cannot be identified. Answer it once by varlink_answer() or varlink_fail(), in this call or
     * later; the next call of the connection follows after that. */
    void (*on_call)(VarlinkConnection *c, const VarlinkCall *call, void *userdata);
    /* The connection has ended: do not answer any more. */
    void (*on_gone)(VarlinkConnection *c, void *userdata);
} VarlinkCallbacks;

/* Takes ownership of the listening socket. */
int varlink_server_new(sd_event *event, int listen_fd, const VarlinkCallbacks *callbacks,
                       void *userdata, VarlinkServer **ret);
VarlinkServer *varlink_server_free(VarlinkServer *s);
DEFINE_CLEANUP(VarlinkServer *, varlink_server_free)

/* These take ownership of the parameters, which may be NULL. */
void varlink_answer(VarlinkConnection *c, struct json_object *parameters);
void varlink_fail(VarlinkConnection *c, const char *error, struct json_object *parameters);

/* The process that connected. *ret_pid_fd, which belongs to the connection, is a descriptor of
 * pidfd_open(2), or a negative errno if the process had exited when the connection was accepted. */
pid_t varlink_connection_get_peer(const VarlinkConnection *c, int *ret_pid_fd);
/* Data of the server's user. */
void *varlink_connection_get_data(const VarlinkConnection *c) _pure_;
void varlink_connection_set_data(VarlinkConnection *c, void *data);
