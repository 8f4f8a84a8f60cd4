/* SPDX-License-Identifier: Apache-2.0 */
/* The agent as a whole: configuration, identity, uplink, dispatcher. The bus layer reads it. */
#pragma once

#include <systemd/sd-bus.h>

#include "core/agent-paths.h"
#include "core/cloud.h"
#include "core/farewell.h"
#include "core/pause.h"
#include "core/problems.h"
#include "core/uplink.h"
#include "health/health.h"
#include "job/voices.h"
#include "request/dispatcher.h"

#define ENDING_ORDERED "the manager ordered; to start it again: systemctl enable --now dcm-agent"
#define ENDING_SEALED                                                                              \
    "clean_image ordered: this server is ready to become an image, and its next boot starts a "    \
    "new "                                                                                         \
    "agent"
#define ENDING_UNREGISTERED                                                                        \
    "its owner ordered, who has unregistered it; to have it register anew: systemctl enable "      \
    "--now "                                                                                       \
    "dcm-agent"

typedef struct Agent Agent;

/* Callbacks to the bus layer. */
typedef struct AgentObserver {
    void (*on_status)(void *userdata);
    void (*on_request)(const Request *q, RequestState state, void *userdata);
    void (*on_jobs)(void *userdata); /* the list of request/job-list.h has changed */
    void (*on_sample)(const Stat *stat, const Series *series, void *userdata);
    void *userdata;
} AgentObserver;

/* Reads the configuration, opens the store, takes up open requests. The paths must outlive the
 * agent. Logs its errors. */
int agent_new(sd_event *event, const AgentPaths *paths, Agent **ret);
/* Also closes the connection properly. */
Agent *agent_free(Agent *a);
DEFINE_CLEANUP(Agent *, agent_free)

/* The console lines of running jobs. */
Voices *agent_get_voices(const Agent *a) _pure_;

void agent_set_observer(Agent *a, const AgentObserver *observer);
/* Connects, if there is a URL. */
int agent_start(Agent *a);
int agent_set_bus(Agent *a, sd_bus *bus);
/* Reads the owner's files again; requests and jobs are not disturbed. -EINVAL: with them the agent
 * could not connect, so that those of before stay in force; the view says why. */
int agent_reload(Agent *a);

/* Closes the connection, if any, and connects at once. */
void agent_reconnect(Agent *a);

/* Stays in force over restarts. Running jobs continue. */
int agent_set_pause(Agent *a, AgentPause pause);

/* Acts like a CANCEL of the manager. -ENOENT: no such request; -EALREADY: it has its reply. */
int agent_cancel(Agent *a, const char *guid);

Farewell *agent_get_farewell(const Agent *a) _pure_;
/* Stops jobs, and ends so that systemd does not start it again; `why` is for people, static. */
void agent_stop_for_good(Agent *a, const char *why);

const Uplink *agent_get_uplink(const Agent *a);
/* For readers; only commands change the manager's definitions. */
Health *agent_get_health(const Agent *a) _pure_;

/* The current state; valid until the next call. */
typedef struct AgentView {
    const char *agent_id, *server_name; /* "" while unknown */
    const char *pause;                  /* "", "waiting", "refusing" */
    const CloudIdentity *cloud;         /* all fields are NULL while unknown */
    const char *trouble;                /* why jobs do not start at present; "": they do */
    const char *store_problem;          /* why the database cannot be written; "": it can */
    bool is_terminating;                /* the manager has ordered it */
    const char *ending;                 /* why it ends for good; NULL: it does not */
    const char *reload_error;           /* of the last reload; NULL: it succeeded */
    const Problems *problems;           /* in the files of this machine's owner */
} AgentView;
AgentView agent_view(const Agent *a);
const RequestFlow *agent_get_flow(const Agent *a) _pure_;
/* Commits first, so that a reader sees only durable changes. */
Store *agent_get_store(const Agent *a);
