/* SPDX-License-Identifier: Apache-2.0 */
/* The unit dcm-service-ID.service: one that the service has shipped, or the one in which its hook
 * has started it. systemctl(1) and systemd-run(1) do the work. */
#pragma once

#include "dcm-service/directory.h"

typedef struct UnitState {
    char active[32]; /* "active", "failed" ... */
    char sub[32];
    char result[32]; /* "success", "exit-code" ... */
    char text[256];  /* what it has said of itself */
    int exit_status; /* of its main process; 128 + N after signal N */
    bool has_processes;
} UnitState;

int unit_look(const char *unit, UnitState *ret);
bool unit_is_active(const UnitState *u) _pure_; /* also while it becomes so, or reloads */

/* What a start that has failed is told by: at least 1. */
int unit_failure_status(const char *unit);

typedef enum UnitOrigin {
    UNIT_NONE,    /* no file: hooks start and stop the service */
    UNIT_SHIPPED, /* install_service has made it of dcm-service.unit */
    UNIT_FOREIGN, /* an administrator has made it, or masked the unit: it is used, never changed */
} UnitOrigin;

/* The file of the service's unit in /etc/systemd/system. */
UnitOrigin service_unit_origin(const char *id);

/* Whether service_set_unit() would have a unit of this text, so that it can be refused before
 * anything is changed: -EEXIST: it is an administrator's; -EINVAL: systemd does not take the text.
 * NULL: no unit is wanted. A negative errno has been logged. */
int service_check_unit(const Services *s, const char *id, const char *user, const char *text,
                       size_t size);
/* Makes the unit of the text, or removes ours if there is none (NULL), which stops it first.
 * systemd has read it then. A negative errno has been logged. */
int service_set_unit(const Services *s, const char *id, const char *user, const char *text,
                     size_t size);

/* systemctl VERB UNIT: its status; a failure has been logged. */
int systemctl(const char *verb, const char *unit);
