/* SPDX-License-Identifier: Apache-2.0 */
/* A listening socket on the loop. */
#pragma once

#include <systemd/sd-event.h>

#include "basic/macro.h"

typedef struct Listener Listener;

/* Takes over the accepted, non-blocking socket. */
typedef void (*ListenerCallback)(int fd, void *userdata);

/* "ADDRESS:PORT", "[IPV6]:PORT" or "PORT" (all addresses); numeric. Port 0 takes a free one. */
int listener_bind_tcp(const char *address, int *ret_fd);
/* A stream socket in the file system, mode 0600; a stale one is replaced, -EADDRINUSE if not. */
int listener_bind_unix(const char *path, int *ret_fd);

/* Takes over the socket. */
int listener_new(sd_event *event, int fd, ListenerCallback callback, void *userdata,
                 Listener **ret);
Listener *listener_free(Listener *l);
DEFINE_CLEANUP(Listener *, listener_free)

/* "127.0.0.1:8443" */
void listener_describe(const Listener *l, char *buf, size_t size);
/* The same of a connection's other end. */
void socket_describe_peer(int fd, char *buf, size_t size);
