/* SPDX-License-Identifier: Apache-2.0 */
/* For texts about agent.conf(5): names that are no keys, those of the Python agent and slips of the
 * pen; and what values may be. */
#pragma once

#include "basic/macro.h"

/* Whether the Python agent 1.2.5 knew it and this one does without: nothing is said about it. */
bool config_section_is_old(const char *section);
bool config_key_is_old(const char *section, const char *name);

/* Whether the agent would connect with less security, or elsewhere, if this key of [connection]
 * were missed. */
bool config_is_guard(const char *name);
/* The guard that such a name probably stands for, or that it is, in whatever section (static);
 * NULL: none. */
const char *config_guard_meant(const char *name);

/* Whether somebody who wrote `name` may have meant `other`. */
bool config_names_resemble(const char *name, const char *other);

/* What a number or a boolean must be, by the type's name in agent.conf(5): "a whole number from 1
 * to 100"; leaves `buf` as it is for other types. */
void config_describe_values(const char *type, double min, double max, char *buf, size_t size);
