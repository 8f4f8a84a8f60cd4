/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of dcm-agentctl. Each returns an exit status, or a negative errno that it has already
 * reported. */
#pragma once

#include "dcm-agentctl/ctl.h"

int verb_status(const Context *c, int argc, char *argv[]);
int verb_requests(const Context *c, int argc, char *argv[]);
int verb_jobs(const Context *c, int argc, char *argv[]);
int verb_stats(const Context *c, int argc, char *argv[]);
int verb_top(const Context *c, int argc, char *argv[]);
int verb_show(const Context *c, int argc, char *argv[]);
int verb_cancel(const Context *c, int argc, char *argv[]);
int verb_alerts(const Context *c, int argc, char *argv[]);
int verb_users(const Context *c, int argc, char *argv[]);
int verb_seal_token(const Context *c, int argc, char *argv[]);
int verb_commands(const Context *c, int argc, char *argv[]);
int verb_config(const Context *c, int argc, char *argv[]);
int verb_doctor(const Context *c, int argc, char *argv[]);
int verb_pause(const Context *c, int argc, char *argv[]);
int verb_resume(const Context *c, int argc, char *argv[]);
int verb_output(const Context *c, int argc, char *argv[]);
int verb_reload(const Context *c, int argc, char *argv[]);
int verb_reconnect(const Context *c, int argc, char *argv[]);
