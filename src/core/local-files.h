/* SPDX-License-Identifier: Apache-2.0 */
/* The files by which this machine's owner configures the agent. Each function clears the list of
 * their problems, reads them, and lists what is wrong. */
#pragma once

#include "alert/rule.h"
#include "core/agent-paths.h"
#include "core/config.h"
#include "core/problems.h"

int local_files_load_config(const AgentPaths *paths, Problems *problems, Config *ret);
int local_files_load_rules(const AgentPaths *paths, Problems *problems, AlertRules *ret);
/* The same, for the problems alone. */
int local_files_check_rules(const AgentPaths *paths, Problems *problems);
/* 1: the set of commands has changed. */
int local_files_load_commands(const AgentPaths *paths, Problems *problems);
/* One file of commands.d, wherever it is. */
int local_files_check_command(const char *path, Problems *problems);
/* The executor loads the policy for each job; here it is only looked at. Logs its errors. */
int local_files_check_policy(const AgentPaths *paths, Problems *problems);

/* Adds a value of agent.conf that is valid by itself and cannot be used. */
void local_files_note_value(Problems *problems, const Config *config, const char *section,
                            const char *name, const char *text);

/* For problems_new(): a line in the journal. */
void local_files_log_problem(const Problem *p);
