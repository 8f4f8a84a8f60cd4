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

/* Whether install_service has made a unit for the service. */
bool service_ships_unit(const char *id);
/* Makes the unit of the text, or removes it if there is none (NULL), which stops it first. systemd
 * has read it then. A negative errno has been logged. */
int service_set_unit(const Services *s, const char *id, const char *user, const char *text,
                     size_t size);

/* systemctl VERB UNIT: its status; a failure has been logged. */
int systemctl(const char *verb, const char *unit);
