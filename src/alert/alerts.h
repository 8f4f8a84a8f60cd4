/* SPDX-License-Identifier: Apache-2.0 */
/* Alerts of whatever source: stored before they are sent, sent until the manager has acknowledged
 * them, and never again after that. */
#pragma once

#include <systemd/sd-event.h>

#include "store/alert-row.h"

typedef struct Alerts Alerts;

typedef struct AlertsCallbacks {
    /* ends the transaction that is open, so that another can begin */
    int (*commit)(void *userdata);
    /* -ENOTCONN and others: it is tried again later */
    int (*send)(struct json_object *message, void *userdata);
    /* what can wait should */
    bool (*is_congested)(void *userdata);
} AlertsCallbacks;

/* Is told when alerts are taken again after -EDQUOT. */
typedef void (*AlertsRoomCallback)(void *userdata);

int alerts_new(sd_event *event, Store *store, const AlertsCallbacks *callbacks, void *userdata,
               Alerts **ret);
Alerts *alerts_free(Alerts *a);
DEFINE_CLEANUP(Alerts *, alerts_free)

/* How long an acknowledgement is waited for. */
void alerts_configure(Alerts *a, uint64_t resend_usec);
void alerts_set_on_room(Alerts *a, AlertsRoomCallback on_room, void *userdata);

/* Stores alerts in one commit: for the manager those whose level is not below `threshold`, the
 * others to be listed only. How many were new, as one with the same hash is not taken twice; or a
 * negative errno, and none was stored. -EDQUOT: too many wait for the manager. `key` (may be NULL):
 * a fact of the same commit, for instance how far their source was read. */
int alerts_add(Alerts *a, const Alert *list, size_t n, int threshold, const char *key,
               const char *value);
/* The fact; NULL: there is none. The caller frees. */
int alerts_get_fact(Alerts *a, const char *key, char **ret);

void alerts_opened(Alerts *a);
void alerts_closed(Alerts *a);
/* An ALERT_ACK. An id that is not known is ignored. */
void alerts_acknowledge(Alerts *a, const char *request_id);
/* Whether that is the id of an alert; an error of the store counts as no. */
bool alerts_has(Alerts *a, const char *request_id);
