/* SPDX-License-Identifier: Apache-2.0 */
/* The values that apply, each with its place. */
#pragma once

#include "core/config.h"

/* Prints them in the form of agent.conf(5), or as JSON. An exit status. */
int effective_print(const Config *c, bool json);
