/* SPDX-License-Identifier: Apache-2.0 */
/* What systemd knows of dcm-agent.service: why it does not run, where the agent itself cannot be
 * asked. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/macro.h"

#define SERVICE_UNIT_PATH "/org/freedesktop/systemd1/unit/dcm_2dagent_2eservice"
#define SERVICE_TEXT_SIZE 1024

typedef struct ServiceState {
    bool is_loaded;     /* systemd has read the unit */
    bool is_masked;     /* systemd must not start it */
    bool is_enabled;    /* it starts at boot */
    char *status_text;  /* what the service said last; NULL: nothing */
    char *active_state; /* "active", "failed", ...; NULL: not known */
    char *result;       /* how the last process ended: "exit-code", "oom-kill", ... */
    int exit_status;    /* of it, or its signal; 0: none, or well */
} ServiceState;

/* *ret is valid, with what became known, also after an error; service_state_done() frees it. */
int service_state_read(sd_bus *bus, ServiceState *ret);
void service_state_done(ServiceState *s);

typedef enum ServiceCause {
    SERVICE_IS_STOPPED,      /* by somebody here, or was not started yet */
    SERVICE_HAS_ITS_REASONS, /* it is starting, or the manager has stopped it */
    SERVICE_IS_BROKEN,       /* it has failed, or cannot start */
} ServiceCause;

/* Why the agent does not run and what to do, translated. */
ServiceCause service_state_explain(const ServiceState *s, char buf[static SERVICE_TEXT_SIZE]);
