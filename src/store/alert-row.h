/* SPDX-License-Identifier: Apache-2.0 */
/* Alerts: those that wait for the manager, and those that are kept so that they are not told again.
 */
#pragma once

#include "proto/alert.h"
#include "store/store.h"

#define ALERT_ID_SIZE 37 /* a UUID */

typedef enum AlertState {
    ALERT_KEPT,    /* not for the manager */
    ALERT_WAITING, /* the manager does not have it, or has not said so */
    ALERT_ACKNOWLEDGED,
    _ALERT_STATE_MAX,
} AlertState;

typedef struct StoredAlert {
    int64_t row; /* they are told in this order */
    const char *request_id;
    AlertState state;
    uint64_t received_ms; /* CLOCK_REALTIME */
    Alert alert;
} StoredAlert;

typedef struct AlertTotal {
    uint64_t n, bytes;
} AlertTotal;

/* A result that is not 0 ends a visit; a negative one is returned. The row is valid until then. */
typedef int (*StoreAlertVisitor)(const StoredAlert *alert, void *userdata);

const char *alert_state_to_string(AlertState state) _const_;

/* Gives it a request id. 1: it was added; 0: the same one is there. */
int store_add_alert(Store *s, const Alert *alert, AlertState state);
/* Its state; -ENOENT: there is none. */
int store_get_alert_state(Store *s, const char *request_id);
/* 1: it waited; 0: it did not, or there is none. */
int store_acknowledge_alert(Store *s, const char *request_id);
/* Those that wait, behind row `after`, oldest first. */
int store_visit_waiting_alerts(Store *s, int64_t after, unsigned limit, StoreAlertVisitor visit,
                               void *userdata);
/* The newest of all, oldest first. */
int store_visit_alerts(Store *s, unsigned limit, StoreAlertVisitor visit, void *userdata);
/* By state; no row is read. */
int store_sum_alerts(Store *s, AlertTotal ret[static _ALERT_STATE_MAX]);
/* Forgets the oldest that do not wait: at most `n` of any age, and those that have been so for
 * longer than that. */
int store_remove_alerts(Store *s, uint64_t n, uint64_t keep_usec);
