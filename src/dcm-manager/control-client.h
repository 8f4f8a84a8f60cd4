/* SPDX-License-Identifier: Apache-2.0 */
/* One client of the control socket, on the server's side: its lines, and the event that it waits
 * for. */
#pragma once

#include <systemd/sd-event.h>

#include "proto/json.h"

typedef struct ControlClient ControlClient;
typedef struct ControlAnswer ControlAnswer;

typedef enum ControlWait {
    CONTROL_WAIT_NONE,
    CONTROL_WAIT_REQUEST, /* key: GUID */
    CONTROL_WAIT_STATUS,  /* key: GUID */
    CONTROL_WAIT_AGENT,   /* key: agent id; NULL: any */
    CONTROL_WAIT_LOG,     /* key: agent id; NULL: all */
    CONTROL_WAIT_DRAIN,   /* until nobody is connected */
} ControlWait;

typedef struct ControlClientCallbacks {
    void (*on_line)(ControlClient *client, struct json_object *request, void *userdata);
    /* called last; the owner frees the client in it */
    void (*on_gone)(ControlClient *client, void *userdata);
} ControlClientCallbacks;

/* Takes ownership of the connection. -EPERM: the peer is not permitted. */
int control_client_new(sd_event *event, int fd, const ControlClientCallbacks *callbacks,
                       void *userdata, ControlClient **ret);
ControlClient *control_client_free(ControlClient *c);
DEFINE_CLEANUP(ControlClient *, control_client_free)

/* Keeps the place of an answer that is given later: answers have the order of the requests.
 * control_answer_begin() ends the life of the place, and returns the client, whose next reply or
 * failure takes it; NULL: the client has gone. */
ControlAnswer *control_client_reserve(ControlClient *c);
ControlClient *control_answer_begin(ControlAnswer *a);

/* Takes ownership of `result` (may be NULL), also on failure; adds "ok". */
void control_client_reply(ControlClient *c, struct json_object *result);
void control_client_fail(ControlClient *c, const char *error, const char *format, ...)
    _printf_(3, 4);

int control_client_wait(ControlClient *c, ControlWait wait, const char *key);
/* Whether the client waits for that event; a key that is NULL matches every one. */
bool control_client_waits(const ControlClient *c, ControlWait wait, const char *key);
