/* SPDX-License-Identifier: Apache-2.0 */
/* The executor's process-wide state: bus, state directory, and idle exit. */
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "basic/macro.h"

#define EXECUTOR_BUS_NAME "org.dcmagent.Executor1"

typedef struct StartOperation StartOperation;
typedef struct StopOperation StopOperation;
typedef struct Kept Kept;

typedef struct Executord {
    sd_event *event;
    sd_bus *bus;
    sd_event_source *idle_source;
    uint64_t idle_usec;
    uid_t agent_uid;
    int state_fd;
    const char *state_dir;
    unsigned n_operations; /* while there are any the executor is not idle */
    unsigned n_background; /* of those, the ones whose caller has been answered */
    /* waiting for systemd's answer, or for another start of the same GUID */
    StartOperation *starts;
    StopOperation *stops; /* units being stopped */
    Kept *kept;           /* ended units that stay because processes live in them */
    unsigned n_kept;
    /* called when idle, if jobs were started since the last call */
    int (*sweep)(struct Executord *m);
    bool sweep_due;
    bool leaving, name_released;
} Executord;

/* Opens bus and directory, and does not take the bus name yet. */
int executord_new(uint64_t idle_usec, Executord **ret);
Executord *executord_free(Executord *m);
DEFINE_CLEANUP(Executord *, executord_free);

int executord_run(Executord *m);

/* Call it after a change: starts the idle timer, or leaves. */
void executord_check_idle(Executord *m);

/* Begins an operation: returns its state, `size` zero bytes, which the caller frees after
 * executord_end(). NULL, with `error` set: too many operations, or no memory. */
void *executord_begin(Executord *m, size_t size, sd_bus_error *error);
void executord_end(Executord *m);

/* Call it when an operation's caller has been answered: a background operation does not delay the
 * exit that systemd requests. */
void executord_to_background(Executord *m);
void executord_end_background(Executord *m);
