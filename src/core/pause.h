/* SPDX-License-Identifier: Apache-2.0 */
/* The owner of the machine may pause the agent: its names, and who is told. */
#pragma once

#include "job/console.h"
#include "store/store.h"

typedef enum AgentPause {
    AGENT_RUNS,
    AGENT_PAUSED,   /* new jobs wait */
    AGENT_REFUSING, /* and new ones are refused */
    _AGENT_PAUSE_MAX,
} AgentPause;

/* "", "waiting" or "refusing": as stored, and as D-Bus and the manager are told. */
const char *agent_pause_to_string(AgentPause p) _const_;
/* AGENT_RUNS for any other text, and for NULL. */
AgentPause agent_pause_from_string(const char *text) _pure_;

/* As stored. Logs its errors. */
int agent_pause_load(Store *s, AgentPause *ret);

/* Tells the journal and the manager of a change. */
void agent_pause_announce(AgentPause p, Console *console);
/* Tells the manager, which did not see the change; nothing if there is no pause. */
void agent_pause_remind(AgentPause p, Console *console);
