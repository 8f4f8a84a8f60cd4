/* SPDX-License-Identifier: Apache-2.0 */
/* A listening socket on the loop. */
#pragma once

#include <sys/socket.h>
#include <systemd/sd-event.h>

#include "basic/macro.h"

typedef struct Listener Listener;

/* The callee owns the accepted, non-blocking socket. */
typedef void (*ListenerCallback)(int fd, void *userdata);

/* "ADDRESS:PORT", "[IPV6]:PORT" or "PORT" (all addresses); numeric. Port 0 selects a free one. */
int listener_bind_tcp(const char *address, int *ret_fd);
/* Makes a stream socket in the file system, mode 0600. Replaces a stale one; -EADDRINUSE if it is
 * in use. */
int listener_bind_unix(const char *path, int *ret_fd);

/* Takes ownership of the socket. */
int listener_new(sd_event *event, int fd, ListenerCallback callback, void *userdata,
                 Listener **ret);
Listener *listener_free(Listener *l);
DEFINE_CLEANUP(Listener *, listener_free)

/* "127.0.0.1:8443" */
void listener_describe(const Listener *l, char *buf, size_t size);
/* The same for any address, ... */
void socket_describe_address(const struct sockaddr_storage *address, char *buf, size_t size);
/* ... and for the peer of a connection. */
void socket_describe_peer(int fd, char *buf, size_t size);
