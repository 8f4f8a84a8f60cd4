/* SPDX-License-Identifier: Apache-2.0 */
/* The agent as a whole: configuration, identity, uplink, dispatcher. What it shows to the
 * outside is read by the bus layer. */
#pragma once

#include <systemd/sd-bus.h>

#include "core/cloud.h"
#include "core/uplink.h"
#include "health/health.h"
#include "job/voices.h"
#include "request/dispatcher.h"

/* Exit status after HEMLOCK; the unit has it in RestartPreventExitStatus=. */
#define AGENT_EXIT_HEMLOCK 113

typedef struct Agent Agent;

typedef struct AgentPaths {
    const char *config_file;
    const char *config_directory;
    const char *state_directory;
    const char *jobs_directory;
    const char *commands_directory, *shipped_commands_directory;
    const char *voices_directory;  /* how far jobs were followed; NULL: that is not kept */
    const char *runtime_directory; /* NULL: there is none */
    const char *cloud_socket;
    const char *alerts_file; /* alerts.conf(5) */
    const char *alerts_directory;
} AgentPaths;

/* What the bus layer is told. */
typedef struct AgentObserver {
    void (*on_status)(void *userdata);
    void (*on_request)(const Request *q, RequestState state, void *userdata);
    void (*on_jobs)(void *userdata); /* what request/job-list.h lists */
    void (*on_sample)(const Stat *stat, const Series *series, void *userdata);
    void *userdata;
} AgentObserver;

/* Reads the configuration, opens the store, takes up open requests. The paths must outlive it. Logs
 * its errors. */
int agent_new(sd_event *event, const AgentPaths *paths, Agent **ret);
/* Says good-bye to the manager. */
Agent *agent_free(Agent *a);
DEFINE_CLEANUP(Agent *, agent_free)

/* What running jobs say. */
Voices *agent_get_voices(const Agent *a) _pure_;

void agent_set_observer(Agent *a, const AgentObserver *observer);
/* Connects, if there is a URL. */
int agent_start(Agent *a);
int agent_set_bus(Agent *a, sd_bus *bus);
/* Reads the configuration again; requests are not disturbed. */
int agent_reload(Agent *a);

/* Drops the connection, if there is one, and connects at once. */
void agent_reconnect(Agent *a);

typedef enum AgentPause {
    AGENT_RUNS,
    AGENT_PAUSED,   /* new jobs wait */
    AGENT_REFUSING, /* and are refused */
    _AGENT_PAUSE_MAX,
} AgentPause;

/* "", "waiting", "refusing" */
const char *agent_get_pause(const Agent *a) _pure_;
/* Holds over restarts. Jobs that run go on. */
int agent_set_pause(Agent *a, AgentPause pause);

/* As a CANCEL of the manager. -ENOENT: no such request; -EALREADY: it has its reply. */
int agent_cancel(Agent *a, const char *guid);

const Uplink *agent_get_uplink(const Agent *a);
/* For those who look on; definitions of the manager are changed by commands alone. */
Health *agent_get_health(const Agent *a) _pure_;
/* Each is "" while it is not known. */
const char *agent_get_agent_id(const Agent *a);
const char *agent_get_server_name(const Agent *a);
/* All fields are NULL while it is not known. */
const CloudIdentity *agent_get_cloud(const Agent *a);
const RequestFlow *agent_get_flow(const Agent *a) _pure_;
/* All changes are committed before: what is told of them is durable. */
Store *agent_get_store(const Agent *a);
