/* SPDX-License-Identifier: Apache-2.0 */
/* Delivers requests to one connected agent: sends and resends them until they are acknowledged. It
 * lives as long as the connection; its requests are in the store. */
#pragma once

#include <systemd/sd-event.h>

#include "dcm-manager/ledger-agent.h"
#include "dcm-manager/ledger-request.h"

typedef struct Delivery Delivery;

typedef struct DeliveryCallbacks {
    /* whether a request of any size can be sent: it is not read before */
    bool (*has_room)(void *userdata);
    /* returns 0, or an error of session_send() */
    int (*send)(struct json_object *message, void *userdata);
    void (*on_sent)(const char *guid, void *userdata);
} DeliveryCallbacks;

int delivery_new(sd_event *event, Ledger *store, const char *agent, uint64_t retransmit_usec,
                 const DeliveryCallbacks *callbacks, void *userdata, Delivery **ret);
Delivery *delivery_free(Delivery *d);
DEFINE_CLEANUP(Delivery *, delivery_free)

/* Sends all open requests of the agent. After a while it also sends, once, those that the agent
 * acknowledged on an earlier connection and has not replied to. */
int delivery_start(Delivery *d);
/* Call it for a request that has just been stored. */
int delivery_add(Delivery *d, const char *guid);
/* Call it for a request that was acknowledged or answered. */
void delivery_remove(Delivery *d, const char *guid);

/* A unique message id. */
void message_id_generate(char *ret, size_t size);
