/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket: one JSON object per line, in both directions. A request has "method"; the
 * answer has "ok": true and the result, or "ok": false, "error" (a name: not-found, invalid, ...)
 * and "message".
 *
 *  method      keys                             result
 *  agents                                       agents: [...]
 *  run         agent, payload, guid (optional)  guid, agent
 *  show        guid                             request: {...}
 *  requests    agent (optional), n              requests: [...]
 *  wait        guid                             request: {...}, at its end
 *  cancel      guid
 *  status      guid                             status: the agent's message, on arrival
 *  log         agent (optional), n, follow      lines: [...]; with follow one line each afterwards
 *  alerts      agent (optional), n              alerts: [...]
 *  wait_agent  agent (optional)                 agent, once it is connected
 *  name        agent, name
 *  unname      agent
 *  drain       within (seconds, optional)       as soon as no agent is connected
 *  metrics                                      text: OpenMetrics
 *  targets     target, or all; after            targets: [...]; is_agent: it names an agent
 *  order       orders: [agent (its id), guid],  orders: the first of them, each stored, or with
 *              payload                          error and message; the others are to be sent again
 *  group       agent, group (none: no group)    agent
 *
 *  waiting             after (optional)               waiting: [...], next
 *  accept              agent, name (optional)         agent
 *  reject              agent                          agent
 *  revoke, forget      agent                          agent
 *  replace             agent, newer                   agent
 *  enrol_token_new     expires_usec, uses, group and  id, secret, expires
 *                      name (all but the first are optional)
 *  enrol_tokens                                       enrol_tokens: [...]
 *  enrol_token_revoke  token
 *
 * Lists have at most 500 rows; an answer with "next" has more, for the same request with it as
 * "after".
 *
 * Only root and the manager's own user may connect. */
#pragma once

#include "dcm-manager/manager.h"

typedef struct Control Control;

/* Takes ownership of the listening socket. Becomes the manager's observer, and passes on_count() on
 * to the caller. */
int control_new(sd_event *event, int fd, Manager *manager,
                void (*on_count)(unsigned n_agents, void *userdata), void *userdata, Control **ret);
Control *control_free(Control *c);
DEFINE_CLEANUP(Control *, control_free)
