/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of alerts: those that wait for the manager, and those kept to recognise repetitions. */
#pragma once

#include "proto/alert.h"
#include "store/store.h"

#define ALERT_ID_SIZE 37 /* a UUID */

typedef enum AlertState {
    ALERT_KEPT,    /* not for the manager */
    ALERT_WAITING, /* without the manager's acknowledgement */
    ALERT_ACKNOWLEDGED,
    _ALERT_STATE_MAX,
} AlertState;

typedef struct StoredAlert {
    int64_t row; /* alerts are sent in this order */
    const char *request_id;
    AlertState state;
    uint64_t received_ms; /* CLOCK_REALTIME */
    Alert alert;
} StoredAlert;

typedef struct AlertTotal {
    uint64_t n, bytes;
} AlertTotal;

/* A result other than 0 ends the visit; a negative one is returned. The row is valid during the
 * call. */
typedef int (*StoreAlertVisitor)(const StoredAlert *alert, void *userdata);

const char *alert_state_to_string(AlertState state) _const_;

/* Adds an alert and gives it a request id. 1: added; 0: it exists already. */
int store_add_alert(Store *s, const Alert *alert, AlertState state);
/* Returns its state; -ENOENT: no such alert. */
int store_get_alert_state(Store *s, const char *request_id);
/* 1: it waited; 0: it did not, or does not exist. */
int store_acknowledge_alert(Store *s, const char *request_id);
/* Visits waiting alerts after row `after`, oldest first. */
int store_visit_waiting_alerts(Store *s, int64_t after, unsigned limit, StoreAlertVisitor visit,
                               void *userdata);
/* Visits the newest alerts in any state, oldest first. */
int store_visit_alerts(Store *s, unsigned limit, StoreAlertVisitor visit, void *userdata);
/* Totals by state; reads no rows. */
int store_sum_alerts(Store *s, AlertTotal ret[static _ALERT_STATE_MAX]);
/* Removes the oldest alerts that do not wait: at most `n` whatever their age, and those whose last
 * change is older than keep_usec. */
int store_remove_alerts(Store *s, uint64_t n, uint64_t keep_usec);
