/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs that call the running manager, or prepare it. Each returns the exit status. */
#pragma once

#include "dcm-manager/options.h"

int cli_run(const Options *o);
int cli_agents(const Options *o);
int cli_requests(const Options *o);
int cli_show(const Options *o);
int cli_status(const Options *o);
int cli_cancel(const Options *o);
int cli_alerts(const Options *o);
int cli_log(const Options *o);
int cli_name(const Options *o);
int cli_unname(const Options *o);
int cli_wait_agent(const Options *o);
int cli_drain(const Options *o);
int cli_metrics(const Options *o);
int cli_init(const Options *o);
int cli_renew(const Options *o);
int cli_agent_package(const Options *o);

/* For completion: the values of a key in the rows of a list; prints no errors. */
void cli_print_ids(const char *method, const char *key);
