/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of dcm-agentctl. Each returns an exit status, or a negative errno that it has already
 * reported. */
#pragma once

#include "dcm-agentctl/ctl.h"

typedef int VerbFunction(const Context *c, int argc, char *argv[]);

VerbFunction verb_status, verb_requests, verb_jobs, verb_stats, verb_top, verb_show, verb_cancel,
    verb_scrub, verb_alerts, verb_backups, verb_users, verb_report, verb_info, verb_upgrade,
    verb_seal_token, verb_commands, verb_config, verb_configure, verb_migrate, verb_doctor,
    verb_pause, verb_unregister, verb_resume, verb_output, verb_reload, verb_reconnect;
