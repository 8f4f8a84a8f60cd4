/* SPDX-License-Identifier: Apache-2.0 */
/* Alerts of all sources: stores them before it sends them, and resends them until the manager has
 * acknowledged them. */
#pragma once

#include <systemd/sd-event.h>

#include "store/alert-row.h"

typedef struct Alerts Alerts;

typedef struct AlertsCallbacks {
    /* ends the open transaction, so that another can begin */
    int (*commit)(void *userdata);
    /* on errors such as -ENOTCONN the alert is sent again later */
    int (*send)(struct json_object *message, void *userdata);
    /* whether messages that can wait should */
    bool (*is_congested)(void *userdata);
} AlertsCallbacks;

/* Called when alerts are accepted again after -EDQUOT. */
typedef void (*AlertsRoomCallback)(void *userdata);

int alerts_new(sd_event *event, Store *store, const AlertsCallbacks *callbacks, void *userdata,
               Alerts **ret);
Alerts *alerts_free(Alerts *a);
DEFINE_CLEANUP(Alerts *, alerts_free)

/* Sets how long to wait for an acknowledgement. */
void alerts_configure(Alerts *a, uint64_t resend_usec);
void alerts_set_on_room(Alerts *a, AlertsRoomCallback on_room, void *userdata);

/* Stores alerts in one commit: those with a level of at least `threshold` for the manager, the
 * others only for listing. Returns the number of new alerts, as one with a known hash is skipped;
 * or a negative errno, and nothing is stored. -EDQUOT: too many wait for the manager. `key` (may be
 * NULL): a fact to set in the same commit, for instance the position in the source. */
int alerts_add(Alerts *a, const Alert *list, size_t n, int threshold, const char *key,
               const char *value);
/* Reads the fact; *ret is NULL if it is not set. The caller frees it. */
int alerts_get_fact(Alerts *a, const char *key, char **ret);

void alerts_opened(Alerts *a);
void alerts_closed(Alerts *a);
/* Handles an ALERT_ACK. Ignores unknown ids. */
void alerts_acknowledge(Alerts *a, const char *request_id);
/* Whether an alert has this id; false on errors of the store. */
bool alerts_has(Alerts *a, const char *request_id);
