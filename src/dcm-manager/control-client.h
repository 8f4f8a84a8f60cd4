/* SPDX-License-Identifier: Apache-2.0 */
/* One client on the control socket, seen from the server: lines in, lines out, and what it waits
 * for. */
#pragma once

#include <systemd/sd-event.h>

#include "proto/json.h"

typedef struct ControlClient ControlClient;

typedef enum ControlWait {
    CONTROL_WAIT_NONE,
    CONTROL_WAIT_REQUEST, /* key: GUID */
    CONTROL_WAIT_STATUS,  /* key: GUID */
    CONTROL_WAIT_AGENT,   /* key: agent id; NULL: any */
    CONTROL_WAIT_LOG,     /* key: agent id; NULL: all */
} ControlWait;

typedef struct ControlClientCallbacks {
    void (*on_line)(ControlClient *client, struct json_object *request, void *userdata);
    /* the last call; the owner frees the client in it */
    void (*on_gone)(ControlClient *client, void *userdata);
} ControlClientCallbacks;

/* Takes over the connection. -EPERM: the peer may not speak to us. */
int control_client_new(sd_event *event, int fd, const ControlClientCallbacks *callbacks,
                       void *userdata, ControlClient **ret);
ControlClient *control_client_free(ControlClient *c);
DEFINE_CLEANUP(ControlClient *, control_client_free)

/* Takes over `result` (may be NULL), also when it fails; adds "ok". */
void control_client_reply(ControlClient *c, struct json_object *result);
void control_client_fail(ControlClient *c, const char *error, const char *format, ...)
    _printf_(3, 4);

int control_client_wait(ControlClient *c, ControlWait wait, const char *key);
/* Whether it waits for that; a key that is NULL matches every one. */
bool control_client_waits(const ControlClient *c, ControlWait wait, const char *key);
