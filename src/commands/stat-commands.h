/* SPDX-License-Identifier: Apache-2.0 */
/* init_system_stat, get_system_stat, delete_system_stat. A definition takes effect in memory when
 * its command has run, and is stored with the reply. */
#pragma once

#include "health/health.h"
#include "job/command.h"
#include "store/store.h"

enum {
    INIT_SYSTEM_STAT_TYPE,
    INIT_SYSTEM_STAT_NAME,
    INIT_SYSTEM_STAT_HOLD_COUNT,
    INIT_SYSTEM_STAT_CHECK_INTERVAL,
};

enum { SYSTEM_STAT_NAME }; /* of the other two commands */

int init_system_stat_run(const CommandContext *context, const ArgumentValue *values,
                         struct json_object **ret_reply, CommandRun **ret_run);
int init_system_stat_done(const Command *c, const ArgumentValue *values, Effect *ret);
int get_system_stat_run(const CommandContext *context, const ArgumentValue *values,
                        struct json_object **ret_reply, CommandRun **ret_run);
int delete_system_stat_run(const CommandContext *context, const ArgumentValue *values,
                           struct json_object **ret_reply, CommandRun **ret_run);
int delete_system_stat_done(const Command *c, const ArgumentValue *values, Effect *ret);

/* Restores the stored definitions; leaves out those that fail, with a warning. */
int stat_definitions_load(Store *store, Health *health);
