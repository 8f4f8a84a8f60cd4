/* SPDX-License-Identifier: Apache-2.0 */
/* Requests on their way to one connected agent: sent, and sent again until acknowledged. It lives
 * as long as the connection; what it works on is in the store. */
#pragma once

#include <systemd/sd-event.h>

#include "dcm-manager/ledger-agent.h"
#include "dcm-manager/ledger-request.h"

typedef struct Delivery Delivery;

typedef struct DeliveryCallbacks {
    /* 0, or as session_send() */
    int (*send)(struct json_object *message, void *userdata);
    void (*on_sent)(const char *guid, void *userdata);
} DeliveryCallbacks;

int delivery_new(sd_event *event, Ledger *store, const char *agent, uint64_t retransmit_usec,
                 const DeliveryCallbacks *callbacks, void *userdata, Delivery **ret);
Delivery *delivery_free(Delivery *d);
DEFINE_CLEANUP(Delivery *, delivery_free)

/* Sends every open request of the agent, and after a while, once, those that it acknowledged on an
 * earlier connection and has not replied to. */
int delivery_start(Delivery *d);
/* A request that has just been stored. */
int delivery_add(Delivery *d, const char *guid);
/* It was acknowledged, or answered. */
void delivery_remove(Delivery *d, const char *guid);

/* A message id of ours, unique for ever. */
void message_id_generate(char *ret, size_t size);
