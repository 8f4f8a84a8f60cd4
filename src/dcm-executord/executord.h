/* SPDX-License-Identifier: Apache-2.0 */
/* The executor's process-wide state: bus, state directory, and when to leave. */
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
    unsigned n_operations;  /* they keep the executor from idling */
    unsigned n_background;  /* of those, the ones whose caller has its answer */
    StartOperation *starts; /* that wait for systemd's answer, or for another start of their GUID */
    StopOperation *stops;   /* units that are being stopped */
    Kept *kept;             /* units that are not, as processes live in them */
    unsigned n_kept;
    int (*sweep)(struct Executord *m); /* when idle, if jobs were started since */
    bool sweep_due;
    bool leaving, name_released;
} Executord;

/* Opens all but offers nothing yet. */
int executord_new(uint64_t idle_usec, Executord **ret);
Executord *executord_free(Executord *m);
DEFINE_CLEANUP(Executord *, executord_free);

int executord_run(Executord *m);

/* Something has begun or ended: wait for the next call, or leave. */
void executord_check_idle(Executord *m);

/* An operation begins: returns its state, `size` bytes of zeros, which the caller frees after
 * executord_end(). NULL, and `error` set: there are too many, or no memory. */
void *executord_begin(Executord *m, size_t size, sd_bus_error *error);
void executord_end(Executord *m);

/* An operation's caller has its answer: it goes on in the background, which is no reason not to
 * leave when systemd says so. */
void executord_to_background(Executord *m);
void executord_end_background(Executord *m);
