/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket: one JSON object per line, either way. A request has "method"; the answer has
 * "ok": true and the result, or "ok": false, "error" (one of the names below) and "message".
 *
 *  method      keys                             result
 *  agents                                       agents: [...]
 *  run         agent, payload, guid (optional)  guid, agent
 *  show        guid                             request: {...}
 *  requests    agent (optional), n              requests: [...]
 *  wait        guid                             request: {...}, once it is over
 *  cancel      guid
 *  status      guid                             status: the agent's message, once it came
 *  log         agent (optional), n, follow      lines: [...]; with follow then one line each
 *  wait_agent  agent (optional)                 agent, once it is connected
 *  name        agent, name
 *
 * Only root and the manager's own user may speak here. */
#pragma once

#include "dcm-manager/manager.h"

typedef struct Control Control;

/* Takes over the listening socket. Becomes the manager's observer; on_count() goes to the caller.
 */
int control_new(sd_event *event, int fd, Manager *manager,
                void (*on_count)(unsigned n_agents, void *userdata), void *userdata, Control **ret);
Control *control_free(Control *c);
DEFINE_CLEANUP(Control *, control_free)
