/* SPDX-License-Identifier: Apache-2.0 */
/* Whom the targets of `run` mean, as the manager says, and groups. Functions return 0, or an exit
 * status > 0 and have said why. */
#pragma once

#include "dcm-manager/client.h"
#include "dcm-manager/options.h"

int cli_group(const Options *o);
int cli_ungroup(const Options *o);
/* Whether the manager has to be asked, because the targets are not simply one agent. */
bool targets_are_several(const Options *o);
/* *ret: an object with the row of each agent by its id, each once, in the order of the targets.
 * *ret_is_agent: the only target is an agent's name or id. */
int targets_resolve(const Options *o, Client *client, struct json_object **ret, bool *ret_is_agent);
int targets_print(const Options *o, struct json_object *agents);
