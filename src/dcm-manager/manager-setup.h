/* SPDX-License-Identifier: Apache-2.0 */
/* The options and the observer of a manager. */
#pragma once

#include <systemd/sd-event.h>

#include "dcm-manager/address-range.h"
#include "dcm-manager/enrolment-mode.h"
#include "dcm-manager/order.h"
#include "dcm-manager/session.h"

typedef struct Manager Manager;

typedef struct ManagerOptions {
    EnrolmentMode enrolment;
    SessionOptions session;
    uint64_t retransmit_usec;
    unsigned sessions_max;
    const AddressRange *proxies; /* they tell for whom they connect; outlive the manager */
    size_t n_proxies;
    double handshakes_per_sec, new_agents_per_sec; /* 0: no limit */
} ManagerOptions;

/* Events that control clients may wait for. Each may be called from within a call into the
 * manager. */
typedef struct ManagerObserver {
    void (*on_request)(const char *guid, OrderState state, void *userdata);
    void (*on_status)(const char *guid, struct json_object *status, void *userdata);
    void (*on_agent)(const char *agent, void *userdata); /* it is connected now */
    void (*on_log)(const char *agent, int64_t time, const char *level, const char *message,
                   void *userdata);
    void (*on_count)(unsigned n_agents, void *userdata); /* number of connected agents */
} ManagerObserver;
