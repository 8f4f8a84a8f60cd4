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

typedef struct Manager {
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
    int (*sweep)(struct Manager *m); /* when idle, if jobs were started since */
    bool sweep_due;
    bool leaving, name_released;
} Manager;

/* Opens all but offers nothing yet. */
int manager_new(uint64_t idle_usec, Manager **ret);
Manager *manager_free(Manager *m);
DEFINE_CLEANUP(Manager *, manager_free);

int manager_run(Manager *m);

/* Something has begun or ended: wait for the next call, or leave. */
void manager_check_idle(Manager *m);

/* An operation begins or ends. -EBUSY or the like with `error` set: too many. */
int manager_begin(Manager *m, sd_bus_error *error);
void manager_end(Manager *m);

/* An operation's caller has its answer: it goes on in the background, which is no reason not to
 * leave when systemd says so. */
void manager_to_background(Manager *m);
void manager_end_background(Manager *m);
